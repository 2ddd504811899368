//! The layerwise kernel of real digits, in one command.
//!
//! The paper's MLP (784-50-50-50-1, tanh, no biases, NTK parameterisation, standard normal weights; Engel et al.,
//! section 5.2 and appendix B) on MNIST's sixes and nines: a table with a row for each layer and one for the total,
//! heat maps of each, the kernel as .npy and the weights as safetensors.

#[path = "../common/digits.rs"]
mod digits;
mod options;
mod report;

use std::ops::ControlFlow;
use std::process::ExitCode;
use std::time::Instant;

use indicatif::{ProgressBar, ProgressStyle};
use tangent_kernels::unary::Tanh;
use tangent_kernels::{
    Batch, Cpu, Error, Kernel, Model, Parameterisation, Progress, Real, Result, Sequential, Session,
};

use digits::{Digits, PIXELS};
use options::{Options, Precision};

fn main() -> ExitCode {
    let result = Options::parse(std::env::args_os()).and_then(|options| match options {
        None => Ok(()),
        Some(options) => match options.precision {
            Precision::F32 => run::<f32>(&options),
            Precision::F64 => run::<f64>(&options),
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

fn run<R: Real>(options: &Options) -> Result<()> {
    std::fs::create_dir_all(&options.out).map_err(|e| Error::io(format!("{}: {e}", options.out.display())))?;
    let (train, test, normalisation) = digits::read::<R>(&options.data, options.samples)?;
    println!(
        "{} sixes and {} nines of MNIST, standardised by mean {:.6} and deviation {:.6} of all training pixels, then \
         divided by sqrt(784)",
        options.samples, options.samples, normalisation.mean, normalisation.deviation
    );
    let model = paper_mlp(options.seed)?;
    println!(
        "784-50-50-50-1, tanh, NTK parameterisation, {} parameters, seed {}, {}, {} threads\n",
        model.parameter_count(),
        options.seed,
        R::NAME,
        rayon::current_num_threads()
    );

    let session = Session::new(&model, Cpu::<R>::new())?;
    let (x, z) = (batch(&train)?, batch(&test)?);
    let kernel = compute("K(train, train)", &session, &x, None)?;
    let cross = compute("K(test, train)", &session, &z, Some(&x))?;
    let rows = report::rows(&model, &kernel, &cross, &train.labels, &test.labels)?;
    println!("\n{}", report::table(&rows));
    report::write(options, &model, &kernel)
}

/// K(X, X), or K(X, Z), with a progress bar, and a line that says how long it took.
fn compute<R: Real>(
    what: &str,
    session: &Session<'_, Cpu<R>>,
    x: &Batch<'_, R>,
    z: Option<&Batch<'_, R>>,
) -> Result<Kernel<R>> {
    let style = ProgressStyle::with_template("{msg} {wide_bar} {pos}/{len} {eta}").expect("the template is right");
    let bar = ProgressBar::new(1).with_message(what.to_string()).with_style(style);
    let show = |progress: Progress| {
        bar.set_length(progress.total as u64);
        bar.set_position(progress.done as u64);
        ControlFlow::Continue(())
    };
    let start = Instant::now();
    let ntk = session.ntk().progress(&show);
    let kernel = z.map_or_else(|| ntk.compute(x), |z| ntk.between(x, z))?;
    bar.finish_and_clear();
    let [_, rows, cols] = kernel.total().shape();
    let seconds = start.elapsed().as_secs_f64();
    let kernel = kernel.by_layer();
    println!("{what}: {rows} x {cols}, total and {} layers, {seconds:.3} s", kernel.components().len());
    Ok(kernel)
}

/// The network of appendix B, weights called `d1.weight` to `d4.weight`.
fn paper_mlp(seed: u64) -> Result<Model> {
    let mut model = Sequential::mlp(&[PIXELS, 50, 50, 50, 1], Tanh, false, Parameterisation::Ntk)?;
    model.initialise(Parameterisation::Ntk, seed)?;
    Ok(model)
}

fn batch<R: Real>(digits: &Digits<R>) -> Result<Batch<'_, R>> {
    Batch::new(&digits.pixels, &[digits.count(), PIXELS])
}
