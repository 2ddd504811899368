//! The spectrum of the Fisher matrix, layer by layer, before and after training (Engel et al., section 5.1).
//!
//! The paper's MLP (784-50-50-50-1, tanh, no biases, NTK parameterisation) on MNIST's sixes and nines, trained for a while
//! by plain gradient descent on the squared error. The eigenvalues of F = J^T J / N other than zero are those of the
//! kernel over N, so no Fisher matrix is formed. A few are large and most are tiny: the largest is thousands of
//! times the mean, the 'pathological sharpness' of Karakida et al. (2019).

mod options;
mod spectrum;
mod training;

use std::process::ExitCode;

use tangent_kernels::unary::Tanh;
use tangent_kernels::{Batch, Error, Result, Sequential};
use tangent_kernels_examples::{arguments, digits, table};

use options::Options;
use tangent_kernels_examples::digits::PIXELS;

fn main() -> ExitCode {
    let result = Options::parse(std::env::args_os()).and_then(|options| options.map_or(Ok(()), |o| run(&o)));
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("fisher_spectrum: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(options: &Options) -> Result<()> {
    std::fs::create_dir_all(&options.out).map_err(|e| Error::io(format!("{}: {e}", options.out.display())))?;
    let (train, test, _) = digits::read::<f64>(&options.data, options.samples, (PIXELS as f64).sqrt())?;
    let mut model = Sequential::ntk(&[PIXELS]).mlp_without_bias(&[50, 50, 50, 1], Tanh).build()?;
    model.initialise(options.seed)?;
    println!(
        "784-50-50-50-1, tanh, NTK parameterisation, {} parameters, seed {}; {} sixes and {} nines, f64, {} threads",
        table::grouped(model.parameter_count()),
        options.seed,
        options.samples,
        options.samples,
        rayon::current_num_threads()
    );
    let x = Batch::new(&train.pixels, &[train.count(), PIXELS])?;
    let z = Batch::new(&test.pixels, &[test.count(), PIXELS])?;

    let before = spectrum::Spectra::compute(&model, &x)?;
    before.print("before training");
    before.plot(&options.out.join("spectrum_before.png"), "Eigenvalues of the Fisher matrix before training")?;

    // Gradient descent on the squared error is stable below 2 over the largest eigenvalue of its Hessian, which is about F's.
    let rate = 1.0 / before.largest();
    println!(
        "\n{} steps of gradient descent, full batch, at rate {rate:.3}, half of what would not be stable",
        options.steps
    );
    let trained = training::descend(&mut model, &x, &train.labels, rate, options.steps)?;
    println!("loss {:.4} -> {:.4}", trained.first, trained.last);
    let accuracy = training::accuracy(&model, &z, &test.labels)?;
    println!("of {} test digits {:.2} % are right", test.count(), 100.0 * accuracy);

    let after = spectrum::Spectra::compute(&model, &x)?;
    after.print("after training");
    after.plot(&options.out.join("spectrum_after.png"), "Eigenvalues of the Fisher matrix after training")?;
    println!("\nwritten to {}: spectrum_before.png and spectrum_after.png", options.out.display());
    Ok(())
}
