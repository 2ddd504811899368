//! The layerwise kernel of a small residual network on real digits, in one command.
//!
//! MNIST's sixes and nines, 28 x 28, through 3 x 3 convolutions with batch norms at inference: the plan, a table with a
//! row for each layer and one for the total, heat maps of each, the kernel as .npy with its manifest, and the weights as
//! safetensors. `network.rs` composes the network from functions.

mod nearest;
mod network;
mod options;

use std::process::ExitCode;

use tangent_kernels::Gram;
use tangent_kernels::{Batch, Error, Outputs, Real, Result, Session};
use tangent_kernels_examples::{arguments, device, digits, report};

use nearest::nearest_mean;
use options::Options;
use tangent_kernels_examples::arguments::Precision;
use tangent_kernels_examples::digits::{Digits, SIDE};
use tangent_kernels_examples::progress::compute;
use tangent_kernels_examples::report::Picture;

fn main() -> ExitCode {
    let result = Options::parse(std::env::args_os()).and_then(|options| match options {
        None => Ok(()),
        Some(options) => match options.precision {
            Precision::F32 => device::single(&options.device).and_then(|device| run(&options, device)),
            Precision::F64 => device::double(&options.device).and_then(|cpu| run(&options, cpu)),
        },
    });
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("cnn_kernel: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run<B: Gram>(options: &Options, arrays: B) -> Result<()> {
    std::fs::create_dir_all(&options.out).map_err(|e| Error::io(format!("{}: {e}", options.out.display())))?;
    let (train, test, _) = digits::read::<B::Number>(&options.data, options.samples, 1.0)?;
    let model = network::network(options.outputs, options.seed)?;
    println!(
        "{} sixes and {} nines of MNIST, standardised; a residual network of {} parameters, {} outputs, seed {}, {}, {}\n",
        options.samples,
        options.samples,
        model.parameter_count(),
        options.outputs,
        options.seed,
        B::Number::NAME,
        device::place(&arrays.name())
    );

    let session = Session::new(&model, arrays)?;
    let ntk = session.ntk().outputs(options.mode);
    println!("{}\n", ntk.plan(train.count())?);

    let (x, z) = (batch(&train)?, batch(&test)?);
    let kernel = compute("K(train, train)", ntk, &x, None)?;
    // A classifier needs one number per pair of digits in every mode.
    let cross = compute("K(test, train)", session.ntk().outputs(Outputs::TraceMean), &z, Some(&x))?;
    let rows_of_a_digit = options.rows_of_a_digit();
    let rows = report::rows(&model, &kernel, &cross, |own, cross| {
        nearest_mean(own, rows_of_a_digit, cross, &train.labels, &test.labels)
    })?;
    println!("\n{}", report::table(&rows, "the nearest class mean of gradients"));
    let picture = Picture {
        network: if options.mode == Outputs::Full { "residual network" } else { "residual network, mean of outputs" },
        label: if options.mode == Outputs::Full { "K(x, c; x', c')" } else { "K(x, x')" },
        per_class: options.samples,
        outputs: rows_of_a_digit,
    };
    report::write(&options.out, &model, &kernel, &picture)
}

fn batch<R: Real>(digits: &Digits<R>) -> Result<Batch<'_, R>> {
    Batch::new(&digits.pixels, &[digits.count(), 1, SIDE, SIDE])
}
