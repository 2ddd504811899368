//! The command line: commands, options and the text of `--help`.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use tangent_kernels::{Method, Outputs};

use crate::parsers;

#[derive(Parser)]
#[command(
    name = "ntk",
    version,
    about = "Exact neural tangent kernels of ONNX networks, layer by layer.",
    after_help = "\
From PyTorch:
  torch.onnx.export(net.eval(), (x[:1],), \"net.onnx\", dynamo=True, optimize=False)
  np.save(\"x.npy\", x)

Example:
  ntk kernel net.onnx x.npy --out k.npy

Exit codes: 0 success, 1 error or negative verdict, 2 wrong usage."
)]
pub struct Ntk {
    #[command(subcommand)]
    pub command: Command,

    /// Print one JSON object instead of text
    #[arg(long, global = true)]
    pub json: bool,
}

#[derive(Subcommand)]
pub enum Command {
    /// Show the inputs, outputs, ops and parameters of a network, and its unsupported features
    #[command(after_help = "Example:\n  ntk info net.onnx")]
    Info(Info),
    /// Show how a kernel would be computed, with predicted time and memory, without computing it
    #[command(after_help = "Example:\n  ntk plan net.onnx x.npy --mode trace-mean")]
    Plan(Plan),
    /// Compute the kernel of a network on samples
    #[command(after_help = KERNEL)]
    Kernel(Kernel),
    /// Compare the kernel of a few samples with other methods and with finite differences
    #[command(after_help = "Example:\n  ntk verify net.onnx x.npy --samples 4")]
    Verify(Verify),
    /// Print the eigenvalues, trace and effective rank of a stored kernel
    #[command(after_help = "Example:\n  ntk spectrum k.npy --top 20 --plot spectrum.png")]
    Spectrum(Spectrum),
    /// Classify samples with the kernel of a network
    #[command(
        after_help = "Example:\n  ntk classify net.onnx train.npy test.npy --labels y.npy --test-labels t.npy --by ridge"
    )]
    Classify(Classify),
    /// Draw a stored kernel as a PNG picture
    #[command(after_help = "Example:\n  ntk heatmap k.npy --out k.png --title 'NTK after training'")]
    Heatmap(Heatmap),
    /// Finish a kernel that was computed in shards
    #[command(after_help = "Example:\n  ntk merge k.npy")]
    Merge(Stored),
    /// Compare a kernel on disk, finished or not, with its journal
    #[command(after_help = "Example:\n  ntk check k.npy")]
    Check(Stored),
    /// List the devices of this machine
    #[command(after_help = "Examples:\n  ntk devices\n  ntk devices --json")]
    Devices,
}

const KERNEL: &str = "\
A full kernel is written as (N C) x (N C), row n*C + c for output c of sample n.
Mode per-output writes C x N x N, and all other modes write N x N.
With Z.npy, the columns belong to the samples of Z.

If the network has several inputs, name each of them: ids=ids.npy,mask=mask.npy

OUT.json is written next to the kernel. It contains the plan, precision, device, version and
the hashes of the inputs.

Examples:
  ntk kernel net.onnx x.npy --out k.npy
  ntk kernel net.onnx x.npy z.npy --out k.npz --mode trace-mean --precision f64
  ntk kernel text.onnx ids=ids.npy,mask=mask.npy --out k.zarr --params 'tokens.*'
  ntk kernel net.onnx x.npy --out k.npy --memory 4GiB --shard 1/8    # then 2/8 to 8/8, and: merge";

/// The network and its selected outputs and parameters.
#[derive(Args)]
pub struct Network {
    /// The network, an ONNX file
    #[arg(value_name = "NET.onnx")]
    pub network: PathBuf,

    /// Use the output NAME; repeat the option to concatenate several outputs [default: all outputs]
    #[arg(long = "output", value_name = "NAME")]
    pub outputs: Vec<String>,

    /// Treat tensors that match PATTERN as parameters wherever they are used; * matches any characters
    /// [default: as the file says, see `ntk info`]
    #[arg(long, value_name = "PATTERN")]
    pub trainable: Vec<String>,

    /// Treat tensors that match PATTERN as constants, even if --trainable matches them
    /// [default: as the file says, see `ntk info`]
    #[arg(long, value_name = "PATTERN")]
    pub fixed: Vec<String>,

    /// Read the names of all parameters: from a text file with one name per line, or from a safetensors file of the
    /// parameters [default: as the file says, see `ntk info`]
    #[arg(long, value_name = "FILE")]
    pub params_from: Option<PathBuf>,

    /// The axis of the batch of an input, such as state=1 [default: 0]
    #[arg(long, value_name = "NAME=AXIS", value_parser = parsers::batch_axis)]
    pub batch_axis: Vec<(String, usize)>,

    /// Give an input the same value for all samples, such as sr=16000 [default: samples have all inputs]
    #[arg(long, value_name = "NAME=VALUE", value_parser = parsers::constant)]
    pub constant: Vec<(String, f64)>,

    /// The inputs of the file have no batch axis: they are one sample
    #[arg(long)]
    pub unbatched: bool,
}

/// How a kernel is computed.
#[derive(Args)]
pub struct Computing {
    /// How outputs are combined: full, trace-sum, trace-mean, per-output, sum, or the number of one output
    #[arg(long, default_value = "full", value_parser = parsers::mode)]
    pub mode: Outputs,

    /// Use only parameters that match PATTERN (* matches any characters); repeat for several [default: all parameters]
    #[arg(long = "params", value_name = "PATTERN")]
    pub parameters: Vec<String>,

    /// Precision of the computation and of the result; GPUs compute in f32 only
    #[arg(long, default_value = "f32")]
    pub precision: Precision,

    /// cpu, gpu, all (the CPU and all GPUs together), or a part of a GPU's name
    #[arg(long, default_value = "cpu", value_name = "NAME")]
    pub device: String,

    /// structured, closed-form, full-jacobian, autograd, layerwise, layerwise-batched or forward-mode
    #[arg(long, default_value = "structured", value_name = "NAME", value_parser = parsers::method)]
    pub method: Method,

    /// Number of computing threads, at most 4 per core [default: one per core]
    #[arg(long, value_name = "N", value_parser = parsers::threads)]
    pub threads: Option<usize>,

    /// Largest memory use in addition to the samples, such as 4GiB or 500MB [default: no limit]
    #[arg(long, value_name = "BYTES", value_parser = parsers::bytes)]
    pub memory: Option<u64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Precision {
    F32,
    F64,
}

#[derive(Args)]
pub struct Info {
    #[command(flatten)]
    pub network: Network,

    /// Shape of one sample of an input, such as ids=128 or image=3,224,224 [default: the shape in the file]
    #[arg(long = "shape", value_name = "NAME=SIZES", value_parser = parsers::shape)]
    pub shapes: Vec<(String, Vec<usize>)>,
}

#[derive(Args)]
pub struct Plan {
    #[command(flatten)]
    pub network: Network,

    /// Samples along the first axis; several inputs as name=file.npy,name=file.npy
    #[arg(value_name = "X.npy")]
    pub x: String,

    /// Samples of the columns [default: the samples of X]
    #[arg(value_name = "Z.npy")]
    pub z: Option<String>,

    #[command(flatten)]
    pub computing: Computing,
}

#[derive(Args)]
pub struct Kernel {
    #[command(flatten)]
    pub network: Network,

    /// Samples along the first axis; several inputs as name=file.npy,name=file.npy
    #[arg(value_name = "X.npy")]
    pub x: String,

    /// Samples of the columns [default: the samples of X]
    #[arg(value_name = "Z.npy")]
    pub z: Option<String>,

    /// Output file; the format follows from its extension: .npy (the total), .npz or .zarr (the total and all components)
    #[arg(long, value_name = "K.npy")]
    pub out: PathBuf,

    /// Also write every component to a file of its own, DIR/NAME.npy [default: no such files]
    #[arg(long, value_name = "DIR")]
    pub components_dir: Option<PathBuf>,

    /// Leave the components out of .npz and .zarr
    #[arg(long, conflicts_with = "components_dir")]
    pub total_only: bool,

    #[command(flatten)]
    pub computing: Computing,

    /// Compute shard I of N equal shards, counted from 1; shards may run on any machines that share the output folder
    /// [default: the whole kernel]
    #[arg(long, value_name = "I/N", value_parser = parsers::shard)]
    pub shard: Option<(usize, usize)>,

    /// Continue an interrupted kernel
    #[arg(long)]
    pub resume: bool,

    /// Replace an existing output file
    #[arg(long, conflicts_with = "resume")]
    pub force: bool,
}

#[derive(Args)]
pub struct Verify {
    #[command(flatten)]
    pub network: Network,

    /// Samples along the first axis; several inputs as name=file.npy,name=file.npy
    #[arg(value_name = "X.npy")]
    pub x: String,

    /// Number of samples to use, spread evenly over X
    #[arg(long, default_value_t = 4, value_name = "N", value_parser = parsers::count)]
    pub samples: usize,

    /// Compare the outputs of the network with those of the framework on X, an array [n, ...] [default: no comparison]
    #[arg(long, value_name = "Y.npy")]
    pub expect: Option<PathBuf>,

    /// Precision of the kernels that are compared; finite differences always use f64
    #[arg(long, default_value = "f64")]
    pub precision: Precision,
}

#[derive(Args)]
pub struct Spectrum {
    /// A kernel K(X, X), as `ntk kernel` writes it
    #[arg(value_name = "K.npy")]
    pub kernel: PathBuf,

    /// Number of eigenvalues to list
    #[arg(long, default_value_t = 10, value_name = "K", value_parser = parsers::count)]
    pub top: usize,

    /// Write a plot of the spectrum to S.png [default: no plot]
    #[arg(long, value_name = "S.png")]
    pub plot: Option<PathBuf>,
}

#[derive(Args)]
pub struct Classify {
    #[command(flatten)]
    pub network: Network,

    /// Samples of known class
    #[arg(value_name = "X.npy")]
    pub x: String,

    /// Samples to classify
    #[arg(value_name = "Z.npy")]
    pub z: String,

    /// Classes of the samples of X: 0, 1, 2, ... or 1 and -1
    #[arg(long, value_name = "Y.npy")]
    pub labels: PathBuf,

    /// Classes of the samples of Z, to report the test accuracy [default: no test accuracy]
    #[arg(long, value_name = "T.npy")]
    pub test_labels: Option<PathBuf>,

    /// sign: the sign of sum over k of Y_k K(x, X_k), for two classes; ridge: kernel ridge regression
    #[arg(long = "by", default_value = "ridge")]
    pub by: Classifier,

    /// Regularisation of ridge regression, relative to the mean of the kernel's diagonal
    #[arg(long, default_value_t = 1e-3, value_name = "LAMBDA", value_parser = parsers::ridge)]
    pub ridge: f64,

    /// Write the predicted classes, one per sample of Z, to FOUND.npy [default: no file]
    #[arg(long, value_name = "FOUND.npy")]
    pub out: Option<PathBuf>,

    #[command(flatten)]
    pub computing: Computing,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Classifier {
    Sign,
    Ridge,
}

#[derive(Args)]
pub struct Heatmap {
    /// A kernel, as `ntk kernel` writes it
    #[arg(value_name = "K.npy")]
    pub kernel: PathBuf,

    /// The picture to write
    #[arg(long, value_name = "K.png")]
    pub out: PathBuf,

    /// Longer side of the map in pixels, 50 to 10000 [default: 500 to 1000, by the size of the kernel]
    #[arg(long, value_name = "PIXELS")]
    pub size: Option<usize>,

    /// Title above the map [default: no title]
    #[arg(long)]
    pub title: Option<String>,

    /// Use a diverging colour map, white at 0
    #[arg(long)]
    pub diverging: bool,

    /// Number of the matrix to draw, counted from 0, if the kernel has several (mode per-output)
    #[arg(long, default_value_t = 0, value_name = "C")]
    pub block: usize,
}

#[derive(Args)]
pub struct Stored {
    /// The kernel, by the name of the finished file
    #[arg(value_name = "K")]
    pub kernel: PathBuf,
}

#[cfg(test)]
mod tests {
    use clap::{Arg, CommandFactory};

    use super::Ntk;

    /// The arguments of a command and its subcommands, each with the name of its command.
    fn arguments(command: &clap::Command) -> Vec<(String, Arg)> {
        let name = command.get_name().to_string();
        let own = command.get_arguments().map(|argument| (name.clone(), argument.clone()));
        own.chain(command.get_subcommands().flat_map(arguments)).collect()
    }

    fn help(argument: &Arg) -> String {
        argument.get_help().map(ToString::to_string).unwrap_or_default()
    }

    #[test]
    fn every_argument_has_help() {
        let all = arguments(&Ntk::command());
        assert!(all.len() > 50, "{} arguments", all.len());
        for (command, argument) in all {
            assert!(!help(&argument).trim().is_empty(), "{command} {}: no help", argument.get_id());
        }
    }

    /// clap prints the defaults that it knows. The help text states the others.
    #[test]
    fn every_optional_value_has_a_default() {
        for (command, argument) in arguments(&Ntk::command()) {
            let optional = argument.get_action().takes_values() && !argument.is_required_set();
            let stated = !argument.get_default_values().is_empty() || help(&argument).contains("[default: ");
            assert!(!optional || stated, "{command} {}: no default", argument.get_id());
        }
    }

    #[test]
    fn the_definition_is_consistent() {
        Ntk::command().debug_assert();
    }
}
