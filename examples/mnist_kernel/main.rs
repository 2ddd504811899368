//! The layerwise kernel of real digits, in one command.
//!
//! The paper's MLP on MNIST's sixes and nines: 784-50-50-50-1, tanh, no biases, NTK parameterisation, standard normal
//! weights (Engel et al., section 5.2 and appendix B). Prints a table with a row per layer and one for the total. Writes
//! heat maps of each, the kernel as .npy with its manifest, and the weights as safetensors.

mod options;

use std::process::ExitCode;

use tangent_kernels::Gram;
use tangent_kernels::analysis::{accuracy, sign_scores};
use tangent_kernels::unary::Tanh;
use tangent_kernels::{Batch, Error, Model, Real, Result, Sequential, Session};
use tangent_kernels_examples::{arguments, device, digits, report};

use options::Options;
use tangent_kernels_examples::arguments::Precision;
use tangent_kernels_examples::digits::{Digits, PIXELS};
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
            eprintln!("mnist_kernel: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run<B: Gram>(options: &Options, arrays: B) -> Result<()> {
    std::fs::create_dir_all(&options.out).map_err(|e| Error::io(format!("{}: {e}", options.out.display())))?;
    let (train, test, normalisation) =
        digits::read::<B::Number>(&options.data, options.samples, (PIXELS as f64).sqrt())?;
    println!(
        "{} sixes and {} nines of MNIST, standardised by mean {:.6} and deviation {:.6} of all training pixels, then \
         divided by sqrt(784)",
        options.samples, options.samples, normalisation.mean, normalisation.deviation
    );
    let model = paper_mlp(options.seed)?;
    println!(
        "784-50-50-50-1, tanh, NTK parameterisation, {} parameters, seed {}, {}, {}\n",
        model.parameter_count(),
        options.seed,
        B::Number::NAME,
        device::place(&arrays.name())
    );

    let session = Session::new(&model, arrays)?;
    let (x, z) = (batch(&train)?, batch(&test)?);
    let kernel = compute("K(train, train)", session.ntk(), &x, None)?;
    let cross = compute("K(test, train)", session.ntk(), &z, Some(&x))?;
    let rows = report::rows(&model, &kernel, &cross, |_, cross| {
        accuracy(&sign_scores(cross, &train.labels, None)?, &test.labels)
    })?;
    println!("\n{}", report::table(&rows, "sgn(sum_k Y_k K(x, X_k))"));
    let picture = Picture {
        network: "784-50-50-50-1 at initialisation",
        label: "K(x, x')",
        per_class: options.samples,
        outputs: 1,
    };
    report::write(&options.out, &model, &kernel, &picture)
}

/// The network of appendix B, with weights `d1.weight` to `d4.weight`.
fn paper_mlp(seed: u64) -> Result<Model> {
    let mut model = Sequential::ntk(&[PIXELS]).mlp_without_bias(&[50, 50, 50, 1], Tanh).build()?;
    model.initialise(seed)?;
    Ok(model)
}

fn batch<R: Real>(digits: &Digits<R>) -> Result<Batch<'_, R>> {
    Batch::new(&digits.pixels, &[digits.count(), PIXELS])
}
