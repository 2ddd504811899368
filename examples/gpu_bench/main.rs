//! A GPU compared with the CPU: matrix products, and whole kernels of the paper's networks.
//!
//! `--help` describes the measurements.

mod cases;
mod options;
mod peaks;
mod report;
mod transfers;

use std::process::ExitCode;

use tangent_kernels::{Error, Result};
use tangent_kernels_benches::{device as ruler, machine, mlp};
use tangent_kernels_examples::{device, table};

use options::Options;
use report::Report;
use transfers::Link;

fn main() -> ExitCode {
    let options = match Options::parse(std::env::args_os()) {
        Ok(Some(options)) => options,
        Ok(None) => return ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("gpu_bench: {error}");
            return ExitCode::from(2);
        }
    };
    match run(&options) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("gpu_bench: {error}");
            ExitCode::FAILURE
        }
    }
}

/// True if all cases were done.
fn run(options: &Options) -> Result<bool> {
    let device = device::single(&options.device)?;
    let gpu = device.as_gpu().ok_or_else(|| Error::device("gpu_bench needs a GPU, but --device names the CPU"))?;
    let link = Link::measure(&device)?;
    let tile_shape = gpu.tile_shape()?;
    let mut measured = Vec::new();
    for case in cases::all(options.quick) {
        eprintln!("{case}");
        measured.push(case.measure(&device).map_err(|error| error.context(case))?);
    }
    let report = Report::new(&device, gpu, tile_shape, link, options.peak, measured);
    if options.json {
        println!("{:#}", report.json());
    } else {
        report.print();
    }
    Ok(report.is_complete())
}
