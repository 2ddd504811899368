//! What may be said on the command line, and what `--help` tells of it.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use tangent_kernels::{Method, Outputs};

use crate::parsers;

#[derive(Parser)]
#[command(
    name = "ntk",
    version,
    about = "Exact neural tangent kernels of ONNX networks, layer by layer.",
    after_help = "From PyTorch:\n  torch.onnx.export(net.eval(), (x[:1],), \"net.onnx\", dynamo=True, optimize=False)\n  \
                  np.save(\"x.npy\", x)\nThen:\n  ntk kernel net.onnx x.npy --out k.npy\n\nExit codes: 0 done, 1 it failed or \
                  the verdict is no, 2 wrong usage."
)]
pub struct Ntk {
    #[command(subcommand)]
    pub command: Command,

    /// One JSON object on standard output instead of text
    #[arg(long, global = true)]
    pub json: bool,
}

#[derive(Subcommand)]
pub enum Command {
    /// What a network is: inputs, outputs, parameters by layer, ops, and what is not supported
    #[command(after_help = "Example:\n  ntk info net.onnx")]
    Info(Info),
    /// How a kernel would be computed, with predicted time and memory, before anything runs
    #[command(after_help = "Example:\n  ntk plan net.onnx x.npy --mode trace-mean")]
    Plan(Plan),
    /// The kernel of a network on samples
    #[command(after_help = KERNEL)]
    Kernel(Kernel),
    /// Holds the kernel of a network against other methods and finite differences, on a few of your samples
    #[command(after_help = "Example:\n  ntk verify net.onnx x.npy --samples 4")]
    Verify(Verify),
    /// Eigenvalues, trace and effective rank of a stored kernel
    #[command(after_help = "Example:\n  ntk spectrum k.npy --top 20 --plot spectrum.png")]
    Spectrum(Spectrum),
    /// Classifies samples by the kernel of a network
    #[command(
        after_help = "Example:\n  ntk classify net.onnx train.npy test.npy --labels y.npy --test-labels t.npy --by ridge"
    )]
    Classify(Classify),
    /// A picture of a stored kernel
    #[command(after_help = "Example:\n  ntk heatmap k.npy --out k.png --title 'NTK after training'")]
    Heatmap(Heatmap),
    /// Finishes a kernel that was computed in shares
    #[command(after_help = "Example:\n  ntk merge k.npy")]
    Merge(Stored),
    /// Reads a kernel on disk, finished or not, against its journal
    #[command(after_help = "Example:\n  ntk check k.npy")]
    Check(Stored),
    /// The devices of this machine
    Devices,
}

const KERNEL: &str = "\
A full kernel is written as (N C) x (N C), row n*C + c for output c of sample n; the other modes as N x N, and
per-output as C x N x N. With Z.npy the columns are of Z's samples.

Several inputs are given by name: ids=ids.npy,mask=mask.npy

OUT.json is written beside the kernel: the plan, precision, device, version and the hashes of what went in.

Examples:
  ntk kernel net.onnx x.npy --out k.npy
  ntk kernel net.onnx x.npy z.npy --out k.npz --mode trace-mean --precision f64
  ntk kernel net.onnx ids=ids.npy,mask=mask.npy --out k.zarr --params 'layers.0.*'
  ntk kernel net.onnx x.npy --out k.npy --memory 4GiB --shard 1/8    # then 2/8 ... 8/8, and: ntk merge k.npy";

/// The network, and which part of it is meant.
#[derive(Args)]
pub struct Network {
    /// The network, an ONNX file
    #[arg(value_name = "NET.onnx")]
    pub network: PathBuf,

    /// Of several outputs the one called NAME; repeated, these one after another (all of them if not given)
    #[arg(long = "output", value_name = "NAME")]
    pub outputs: Vec<String>,

    /// Makes initialisers that fit PATTERN parameters wherever they are used, factors of a Mul among them (* for any letters)
    #[arg(long, value_name = "PATTERN")]
    pub trainable: Vec<String>,
}

/// How a kernel is computed.
#[derive(Args)]
pub struct Computing {
    /// What becomes of several outputs: full, trace-sum, trace-mean, per-output, sum, or the number of one
    #[arg(long, default_value = "full", value_parser = parsers::mode)]
    pub mode: Outputs,

    /// The kernel of the parameters that fit PATTERN only (* for any letters); repeated, of all that fit one
    #[arg(long = "params", value_name = "PATTERN")]
    pub parameters: Vec<String>,

    #[arg(long, default_value = "f32")]
    pub precision: Precision,

    /// cpu, gpu, or a part of a graphics card's name
    #[arg(long, default_value = "cpu", value_name = "NAME")]
    pub device: String,

    /// structured, closed-form, full-jacobian, autograd, layerwise, layerwise-batched or forward-mode
    #[arg(long, default_value = "structured", value_name = "NAME", value_parser = parsers::method)]
    pub method: Method,

    /// How many threads compute; all that the machine has if not given
    #[arg(long, value_name = "N", value_parser = parsers::threads)]
    pub threads: Option<usize>,

    /// The most memory that may be used, beside the samples: 4GiB, 500MB
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

    /// The shape of one sample of an input, where the file leaves it open: ids=128 or image=3,224,224
    #[arg(long = "shape", value_name = "NAME=SIZES", value_parser = parsers::shape)]
    pub shapes: Vec<(String, Vec<usize>)>,
}

#[derive(Args)]
pub struct Plan {
    #[command(flatten)]
    pub network: Network,

    /// Samples, first axis; several inputs as name=file.npy,name=file.npy
    #[arg(value_name = "X.npy")]
    pub x: String,

    /// Samples of the columns, if they are others
    #[arg(value_name = "Z.npy")]
    pub z: Option<String>,

    #[command(flatten)]
    pub computing: Computing,
}

#[derive(Args)]
pub struct Kernel {
    #[command(flatten)]
    pub network: Network,

    /// Samples, first axis; several inputs as name=file.npy,name=file.npy
    #[arg(value_name = "X.npy")]
    pub x: String,

    /// Samples of the columns, if they are others
    #[arg(value_name = "Z.npy")]
    pub z: Option<String>,

    /// Where the kernel goes, by its ending: .npy (the total), .npz or .zarr (the total and every component by name)
    #[arg(long, value_name = "K.npy")]
    pub out: PathBuf,

    /// Writes every component to a file of its own, DIR/NAME.npy
    #[arg(long, value_name = "DIR")]
    pub components_dir: Option<PathBuf>,

    /// Without components in .npz and .zarr
    #[arg(long, conflicts_with = "components_dir")]
    pub total_only: bool,

    #[command(flatten)]
    pub computing: Computing,

    /// Computes the I-th of N even shares, counted from 1; shares may run anywhere that sees the same files
    #[arg(long, value_name = "I/N", value_parser = parsers::shard)]
    pub shard: Option<(usize, usize)>,

    /// Goes on with a kernel that was interrupted
    #[arg(long)]
    pub resume: bool,

    /// Replaces what is at OUT
    #[arg(long, conflicts_with = "resume")]
    pub force: bool,
}

#[derive(Args)]
pub struct Verify {
    #[command(flatten)]
    pub network: Network,

    /// Samples, first axis; several inputs as name=file.npy,name=file.npy
    #[arg(value_name = "X.npy")]
    pub x: String,

    /// How many samples, spread evenly
    #[arg(long, default_value_t = 4, value_name = "N")]
    pub samples: usize,

    #[arg(long, default_value = "f64")]
    pub precision: Precision,
}

#[derive(Args)]
pub struct Spectrum {
    /// A kernel K(X, X), as `ntk kernel` writes it
    #[arg(value_name = "K.npy")]
    pub kernel: PathBuf,

    /// How many eigenvalues are listed
    #[arg(long, default_value_t = 10, value_name = "K")]
    pub top: usize,

    /// A plot of the spectrum
    #[arg(long, value_name = "S.png")]
    pub plot: Option<PathBuf>,
}

#[derive(Args)]
pub struct Classify {
    #[command(flatten)]
    pub network: Network,

    /// Samples whose classes are known
    #[arg(value_name = "X.npy")]
    pub x: String,

    /// Samples to be classified
    #[arg(value_name = "Z.npy")]
    pub z: String,

    /// The classes of X's samples: 0, 1, ... or 1 and -1
    #[arg(long, value_name = "Y.npy")]
    pub labels: PathBuf,

    /// The classes of Z's samples, to tell how many are right
    #[arg(long, value_name = "T.npy")]
    pub test_labels: Option<PathBuf>,

    /// sign: the paper's classifier, sum over k of Y_k K(x, X_k), of two classes; ridge: kernel ridge regression
    #[arg(long = "by", default_value = "ridge")]
    pub by: Classifier,

    /// What is added to the kernel's diagonal, as a part of its mean
    #[arg(long, default_value_t = 1e-3, value_name = "LAMBDA")]
    pub ridge: f64,

    /// The classes that were found, one for each sample of Z
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

    #[arg(long, value_name = "K.png")]
    pub out: PathBuf,

    /// The largest side of the map, in pixels
    #[arg(long, value_name = "PIXELS")]
    pub size: Option<usize>,

    #[arg(long)]
    pub title: Option<String>,

    /// Colours of both signs, white at 0
    #[arg(long)]
    pub diverging: bool,

    /// Which matrix of a kernel that has several (per-output)
    #[arg(long, default_value_t = 0, value_name = "C")]
    pub block: usize,
}

#[derive(Args)]
pub struct Stored {
    /// The kernel, by the name that it has when it is whole
    #[arg(value_name = "K")]
    pub kernel: PathBuf,
}
