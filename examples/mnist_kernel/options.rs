//! The command line.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use lexopt::prelude::*;
use tangent_kernels::Result;

use crate::arguments::{Precision, check_samples, number, precision, word, wrong};

const HELP: &str = "\
The layerwise neural tangent kernel of MNIST's sixes and nines under the paper's MLP.

usage: mnist_kernel [--samples N] [--seed S] [--out DIR] [--precision f32|f64] [--device D] [--data DIR]

  --samples N     training images of each class, 1 to 5000 (1000)
  --seed S        of the weights (0)
  --out DIR       where kernel.npy, manifest.json, heat maps and weights.safetensors are written (out)
  --precision P   f32 or f64 (f32); f64 on the CPU only
  --device D      cpu, gpu (the best graphics card), all (all of them), or a part of a card's name (cpu)
  --data DIR      the folder of the four idx files (examples/data/mnist69 of this crate)";

pub struct Options {
    pub samples: usize,
    pub seed: u64,
    pub out: PathBuf,
    pub precision: Precision,
    pub device: String,
    pub data: PathBuf,
}

impl Options {
    /// `None` after `--help`.
    pub fn parse(arguments: impl IntoIterator<Item = OsString>) -> Result<Option<Self>> {
        let mut options = Options {
            samples: 1000,
            seed: 0,
            out: PathBuf::from("out"),
            precision: Precision::F32,
            device: "cpu".into(),
            data: Path::new(env!("CARGO_MANIFEST_DIR")).join("data/mnist69"),
        };
        let mut parser = lexopt::Parser::from_iter(arguments);
        while let Some(argument) = parser.next().map_err(wrong)? {
            match argument {
                Long("samples") => options.samples = number(&mut parser, "--samples")?,
                Long("seed") => options.seed = number(&mut parser, "--seed")?,
                Long("out") => options.out = parser.value().map_err(wrong)?.into(),
                Long("data") => options.data = parser.value().map_err(wrong)?.into(),
                Long("precision") => options.precision = precision(&mut parser)?,
                Long("device") => options.device = word(&mut parser)?,
                Long("help") | Short('h') => {
                    println!("{HELP}");
                    return Ok(None);
                }
                other => return Err(wrong(other.unexpected())),
            }
        }
        check_samples(options.samples)?;
        Ok(Some(options))
    }
}
