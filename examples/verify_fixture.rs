//! Holds this crate's kernels against those that another program computed.
//!
//! Builds the network that each file describes, computes every component and the total, and prints a line a file: name,
//! method, precision, device, the worst error over components and the total, and which one that was. Exits with 1 if any
//! is above tolerance or could not be computed. The form of the files is told in `tangent_kernels::io::fixture`.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use lexopt::prelude::*;
use tangent_kernels::io::fixture::Fixture;
use tangent_kernels::kernel::FORWARD_MODE_ENTRIES;
use tangent_kernels::{Batch, Cpu, Error, Method, Real, Result, Session};

const HELP: &str = "\
Holds kernels against those that another program computed.

usage: verify_fixture [--method NAME] [--precision f32|f64] [--device cpu|gpu] FILE...

  --method NAME    structured (the default), closed-form, full-jacobian, autograd, layerwise, layerwise-batched,
                   forward-mode, or all: every one that is for the network, closed-form being for plain MLPs and
                   forward-mode for up to 20,000 parameters
  --precision P    f64 (the default; tolerance 1e-10) or f32 (1e-5)
  --device D       cpu; gpu is not built yet

The error of a component is |K - R| / max(|R|, 1e-10 |R total|), Frobenius norms, R being the file's.";

struct Options {
    methods: Vec<Method>,
    double: bool,
    /// Methods that are not for a network are passed over.
    all: bool,
    files: Vec<PathBuf>,
}

fn main() -> ExitCode {
    let options = match parse() {
        Ok(Some(options)) => options,
        Ok(None) => return ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("verify_fixture: {error}");
            return ExitCode::FAILURE;
        }
    };
    let mut right = true;
    for file in &options.files {
        for &method in &options.methods {
            let verify = if options.double { verify::<f64> } else { verify::<f32> };
            right &= verify(file, method, if options.double { 1e-10 } else { 1e-5 }, options.all);
        }
    }
    if right { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Prints the line of a file; true if its error is within tolerance, or the method is not for it and need not be.
fn verify<R: Real>(file: &Path, method: Method, tolerance: f64, pass_over: bool) -> bool {
    let name = file.file_stem().unwrap_or(file.as_os_str()).to_string_lossy();
    let start = format!("{name:<36} {method:<18} {} cpu ", R::NAME);
    match worst::<R>(file, method, pass_over) {
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

/// `None` if the method is not for the network, and `pass_over` says that this is no failure.
fn worst<R: Real>(file: &Path, method: Method, pass_over: bool) -> Result<Option<(f64, String)>> {
    let fixture = Fixture::read(file)?;
    if fixture.input_shape[0] == 0 {
        return Err(Error::shape("the batch has no sample, so nothing can be compared"));
    }
    if pass_over && method == Method::ForwardMode && fixture.model.parameter_count() > FORWARD_MODE_ENTRIES {
        return Ok(None);
    }
    let x: Vec<R> = fixture.input.iter().map(|&x| R::of(x)).collect();
    let session = Session::new(&fixture.model, Cpu::<R>::new())?;
    match session.ntk().method(method).compute(&Batch::new(&x, &fixture.input_shape)?) {
        Err(error) if pass_over && method == Method::ClosedForm && error.is_unsupported() => Ok(None),
        kernel => fixture.worst_difference(&kernel?).map(Some),
    }
}

/// `None` where help was asked for, and given.
fn parse() -> Result<Option<Options>> {
    let wrong = |error: lexopt::Error| Error::value(format!("{error}; --help says what there is"));
    let word = |parser: &mut lexopt::Parser| parser.value().and_then(|value| value.string()).map_err(wrong);
    let mut options = Options { methods: vec![Method::Structured], double: true, all: false, files: Vec::new() };
    let mut parser = lexopt::Parser::from_env();
    while let Some(argument) = parser.next().map_err(wrong)? {
        match argument {
            Long("method") => {
                let name = word(&mut parser)?;
                options.all = name == "all";
                options.methods = if options.all { Method::ALL.to_vec() } else { vec![name.parse()?] };
            }
            Long("precision") => {
                options.double = match word(&mut parser)?.as_str() {
                    "f64" => true,
                    "f32" => false,
                    other => return Err(Error::value(format!("--precision is '{other}', where f32 or f64 is needed"))),
                }
            }
            Long("device") => match word(&mut parser)?.as_str() {
                "cpu" => {}
                "gpu" => return Err(Error::unsupported("--device gpu: not built; this version computes on the CPU")),
                other => return Err(Error::value(format!("--device is '{other}', where cpu or gpu is needed"))),
            },
            Value(file) => options.files.push(file.into()),
            Long("help") | Short('h') => {
                println!("{HELP}");
                return Ok(None);
            }
            other => return Err(wrong(other.unexpected())),
        }
    }
    if options.files.is_empty() {
        return Err(Error::value("no file was given; --help says what there is"));
    }
    Ok(Some(options))
}
