//! The paper's experiment: a network learns, and its kernel with it (Engel et al., section 5.2, Table 5 and appendix B).
//!
//! 784-50-50-50-1, tanh, no biases, NTK parameterisation, on MNIST's sixes and nines, sorted by class: gradient descent on
//! the full batch, binary cross-entropy, rate 0.01. The kernel of all images and its four components are computed along
//! training. The report shows them at the start and at the end, a film of the steps between, their figures, and the
//! accuracy of the paper's sign classifier with each.

mod experiment;
mod film;
mod options;
mod plots;
mod report;
mod shrunk;
mod table5;

use std::process::ExitCode;

use tangent_kernels::{Error, Result};
use tangent_kernels_examples::{arguments, digits, table};

use experiment::Data;
use film::Film;
use options::Options;

fn main() -> ExitCode {
    let result = Options::parse(std::env::args_os()).and_then(|options| options.map_or(Ok(()), |o| run(&o)));
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("mnist_evolution: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(options: &Options) -> Result<()> {
    let out = &options.out;
    std::fs::create_dir_all(out).map_err(|e| Error::io(format!("{}: {e}", out.display())))?;
    let (train, test, normalisation) = digits::read::<f32>(&options.data, options.samples, experiment::DIVISOR)?;
    println!(
        "{} sixes and {} nines, standardised by mean {:.6} and deviation {:.6} of all training pixels",
        options.samples, options.samples, normalisation.mean, normalisation.deviation
    );
    println!(
        "784-50-50-50-1, tanh, NTK parameterisation; {} steps at rate {}, full batch, f32, {} threads\n",
        options.steps,
        experiment::RATE,
        rayon::current_num_threads()
    );
    let data = Data { train, test };
    let mut film = Film::default();
    let mut outcomes = vec![experiment::run(options, &data, 0, Some(&mut film))?];
    for seed in 1..options.seeds {
        outcomes.push(experiment::run(options, &data, seed, None)?);
    }
    let table = table5::lines(&outcomes);
    println!("Table 5, {} seeds:\n{}", options.seeds, table5::text(&table));
    let write = |name: &str, text: &str| {
        let path = out.join(name);
        std::fs::write(&path, text).map_err(|e| Error::io(format!("cannot write {}: {e}", path.display())))
    };
    write("table_5.csv", &table5::csv(&table))?;
    film.save(out, options)?;
    plots::save(out, &outcomes[0].records, 2 * options.samples)?;
    write("report.html", &report::html(options, &outcomes[0], &table)?)?;
    println!("written to {}: report.html and its figures", out.display());
    Ok(())
}
