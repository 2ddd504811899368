//! The command line.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use lexopt::prelude::*;
use tangent_kernels::{Error, Result};

use crate::arguments::{check_samples, number, wrong};

const HELP: &str = "\
The spectrum of the Fisher matrix of the paper's MLP on MNIST's sixes and nines, by layer, before and after training.

usage: fisher_spectrum [--samples N] [--steps N] [--seed S] [--out DIR] [--data DIR]

  --samples N   training images of each class, 1 to 1000 (250)
  --steps N     of gradient descent (300)
  --seed S      of the weights (0)
  --out DIR     where spectrum_before.png and spectrum_after.png are written (out)
  --data DIR    the folder of the four idx files (examples/data/mnist69 of this crate)";

/// The largest number of samples: all eigenvalues of a kernel cost the cube of its rows.
const MOST: usize = 1000;

pub struct Options {
    pub samples: usize,
    pub steps: usize,
    pub seed: u64,
    pub out: PathBuf,
    pub data: PathBuf,
}

impl Options {
    /// `None` after `--help`.
    pub fn parse(arguments: impl IntoIterator<Item = OsString>) -> Result<Option<Self>> {
        let mut options = Options {
            samples: 250,
            steps: 300,
            seed: 0,
            out: PathBuf::from("out"),
            data: Path::new(env!("CARGO_MANIFEST_DIR")).join("data/mnist69"),
        };
        let mut parser = lexopt::Parser::from_iter(arguments);
        while let Some(argument) = parser.next().map_err(wrong)? {
            match argument {
                Long("samples") => options.samples = number(&mut parser, "--samples")?,
                Long("steps") => options.steps = number(&mut parser, "--steps")?,
                Long("seed") => options.seed = number(&mut parser, "--seed")?,
                Long("out") => options.out = parser.value().map_err(wrong)?.into(),
                Long("data") => options.data = parser.value().map_err(wrong)?.into(),
                Long("help") | Short('h') => {
                    println!("{HELP}");
                    return Ok(None);
                }
                other => return Err(wrong(other.unexpected())),
            }
        }
        check_samples(options.samples)?;
        if options.samples <= MOST {
            Ok(Some(options))
        } else {
            Err(Error::value(format!("--samples is {}, where up to {MOST} are possible here", options.samples)))
        }
    }
}
