//! The command line.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use lexopt::prelude::*;
use tangent_kernels::{Error, Result};

use crate::digits::PER_CLASS;

const HELP: &str = "\
The layerwise neural tangent kernel of MNIST's sixes and nines under the paper's MLP.

usage: mnist_kernel [--samples N] [--seed S] [--out DIR] [--precision f32|f64] [--data DIR]

  --samples N     training images of each class, 1 to 5000 (1000)
  --seed S        of the weights (0)
  --out DIR       where kernel.npy, heat maps and weights.safetensors are written (out)
  --precision P   f32 or f64 (f32)
  --data DIR      the folder of the four idx files (examples/data/mnist69 of this crate)";

pub enum Precision {
    F32,
    F64,
}

pub struct Options {
    pub samples: usize,
    pub seed: u64,
    pub out: PathBuf,
    pub precision: Precision,
    pub data: PathBuf,
}

impl Options {
    /// `None` where help was asked for, and given.
    pub fn parse(arguments: impl IntoIterator<Item = OsString>) -> Result<Option<Self>> {
        let mut options = Options {
            samples: 1000,
            seed: 0,
            out: PathBuf::from("out"),
            precision: Precision::F32,
            data: Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/data/mnist69"),
        };
        let wrong = |error: lexopt::Error| Error::value(format!("{error}; --help says what there is"));
        let mut parser = lexopt::Parser::from_iter(arguments);
        while let Some(argument) = parser.next().map_err(wrong)? {
            match argument {
                Long("samples") => options.samples = parser.value().map_err(wrong)?.parse().map_err(wrong)?,
                Long("seed") => options.seed = parser.value().map_err(wrong)?.parse().map_err(wrong)?,
                Long("out") => options.out = parser.value().map_err(wrong)?.into(),
                Long("data") => options.data = parser.value().map_err(wrong)?.into(),
                Long("precision") => {
                    options.precision = match parser.value().map_err(wrong)?.string().map_err(wrong)?.as_str() {
                        "f32" => Precision::F32,
                        "f64" => Precision::F64,
                        other => {
                            return Err(Error::value(format!("--precision is '{other}', where f32 or f64 is needed")));
                        }
                    }
                }
                Long("help") | Short('h') => {
                    println!("{HELP}");
                    return Ok(None);
                }
                other => return Err(wrong(other.unexpected())),
            }
        }
        if !(1..=PER_CLASS).contains(&options.samples) {
            let asked = options.samples;
            return Err(Error::value(format!(
                "--samples is {asked}, where 1 to {PER_CLASS} images of a class are there"
            )));
        }
        Ok(Some(options))
    }
}
