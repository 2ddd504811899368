//! Compares this crate's kernels with those of another program.
//!
//! Builds the network of each file, computes every component and the total, and prints a line per file. The line has name,
//! method, precision, device, the worst error over components and the total, and where it is. Exits with 1 if an error is
//! above tolerance or a kernel could not be computed. `tangent_kernels::io::fixture` describes the files.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use lexopt::prelude::*;
use tangent_kernels::Gram;
use tangent_kernels::io::fixture::Fixture;
use tangent_kernels::kernel::FORWARD_MODE_ENTRIES;
use tangent_kernels::{Batch, Error, Method, Real, Result, Session};
use tangent_kernels_examples::device;

const HELP: &str = "\
Compares kernels with those of another program.

usage: verify_fixture [--method NAME] [--precision f32|f64] [--device D] FILE...

  --method NAME    structured (the default), closed-form, full-jacobian, autograd, layerwise, layerwise-batched,
                   forward-mode, or all that apply: closed-form to plain MLPs, forward-mode up to 20,000
                   parameters, or 1,000 on a GPU
  --precision P    f64 (the default on the CPU; tolerance 1e-10) or f32 (1e-5; 1e-4 on a GPU, which has no
                   other)
  --device D       cpu (the default), gpu (the best GPU), all (all GPUs), or a part of a GPU's name

The error of a component is |K - R| / max(|R|, 1e-10 |R total|), Frobenius norms, R being the file's.";

/// Forward mode needs a run per entry of every parameter, which is mostly waiting on a GPU.
const FORWARD_MODE_ENTRIES_ON_CARDS: usize = 1_000;

struct Options {
    methods: Vec<Method>,
    double: bool,
    device: String,
    /// Methods that do not apply to a network are skipped.
    all: bool,
    files: Vec<PathBuf>,
}

fn main() -> ExitCode {
    let right = parse().and_then(|options| match options {
        None => Ok(true),
        Some(options) if options.double => Ok(verify_all(&options, &device::double(&options.device)?, 1e-10)),
        Some(options) => {
            let device = device::single(&options.device)?;
            Ok(verify_all(&options, &device, if device.is_cpu() { 1e-5 } else { 1e-4 }))
        }
    });
    match right {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("verify_fixture: {error}");
            ExitCode::FAILURE
        }
    }
}

/// A line for every file and method; true if all are right.
fn verify_all<B: Gram>(options: &Options, arrays: &B, tolerance: f64) -> bool {
    let mut right = true;
    for file in &options.files {
        for &method in &options.methods {
            right &= verify(file, method, arrays, tolerance, options.all);
        }
    }
    right
}

/// Prints the line of a file; true if its error is within tolerance, or the method does not apply and may be skipped.
fn verify<B: Gram>(file: &Path, method: Method, arrays: &B, tolerance: f64, pass_over: bool) -> bool {
    let name = file.file_stem().unwrap_or(file.as_os_str()).to_string_lossy();
    let start = format!("{name:<36} {method:<18} {} {} ", B::Number::NAME, arrays.name());
    match worst(file, method, arrays, pass_over) {
        Ok(Some((error, component))) if error <= tolerance => {
            println!("{start} {error:.2e}  at {component}");
            true
        }
        Ok(Some((error, component))) => {
            println!("{start} {error:.2e}  at {component}  ABOVE {tolerance:.0e}");
            false
        }
        Ok(None) => {
            println!("{start} -         not for this network");
            true
        }
        Err(error) => {
            println!("{start} FAILED  {error}");
            false
        }
    }
}

/// `None` if the method does not apply to the network and `pass_over` allows that.
fn worst<B: Gram>(file: &Path, method: Method, arrays: &B, pass_over: bool) -> Result<Option<(f64, String)>> {
    let fixture = Fixture::read(file)?;
    if fixture.input_shape[0] == 0 {
        return Err(Error::shape("the batch has no samples, so nothing can be compared"));
    }
    let most = if device::is_cpu(arrays) { FORWARD_MODE_ENTRIES } else { FORWARD_MODE_ENTRIES_ON_CARDS };
    if pass_over && method == Method::ForwardMode && fixture.model.parameter_count() > most {
        return Ok(None);
    }
    let x: Vec<B::Number> = fixture.input.iter().map(|&x| B::Number::from_f64(x)).collect();
    let session = Session::new(&fixture.model, arrays.clone())?;
    match session.ntk().method(method).compute(&Batch::new(&x, &fixture.input_shape)?) {
        Err(error) if pass_over && method == Method::ClosedForm && error.is_unsupported() => Ok(None),
        kernel => fixture.worst_difference(&kernel?).map(Some),
    }
}

/// `None` after `--help`.
fn parse() -> Result<Option<Options>> {
    let wrong = |error: lexopt::Error| Error::value(format!("{error}; --help lists the options"));
    let word = |parser: &mut lexopt::Parser| parser.value().and_then(|value| value.string()).map_err(wrong);
    let mut options = Options {
        methods: vec![Method::Structured],
        double: true,
        device: "cpu".into(),
        all: false,
        files: Vec::new(),
    };
    let mut precision = None;
    let mut parser = lexopt::Parser::from_env();
    while let Some(argument) = parser.next().map_err(wrong)? {
        match argument {
            Long("method") => {
                let name = word(&mut parser)?;
                options.all = name == "all";
                options.methods = if options.all { Method::ALL.to_vec() } else { vec![name.parse()?] };
            }
            Long("precision") => {
                precision = match word(&mut parser)?.as_str() {
                    "f64" => Some(true),
                    "f32" => Some(false),
                    other => return Err(Error::value(format!("--precision is '{other}', but it must be f32 or f64"))),
                }
            }
            Long("device") => options.device = word(&mut parser)?,
            Value(file) => options.files.push(file.into()),
            Long("help") | Short('h') => {
                println!("{HELP}");
                return Ok(None);
            }
            other => return Err(wrong(other.unexpected())),
        }
    }
    // The device's precision, unless another was given.
    options.double = precision.unwrap_or(options.device == "cpu");
    if options.files.is_empty() {
        return Err(Error::value("no file was given; --help lists the options"));
    }
    Ok(Some(options))
}
