//! The command line.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use lexopt::prelude::*;
use tangent_kernels::{Error, Outputs, Result};

use crate::arguments::{Precision, check_samples, number, precision, word, wrong};

const HELP: &str = "\
The layerwise neural tangent kernel of MNIST's sixes and nines under a small residual network.

usage: cnn_kernel [--samples N] [--outputs C] [--mode full|trace-mean] [--seed S] [--out DIR] [--precision f32|f64]
                  [--device D] [--data DIR]

  --samples N     training images of each class, 1 to 5000 (250)
  --outputs C     of the network, 1 to 10 (2)
  --mode M        full, all pairs of outputs, or trace-mean, the mean over outputs (full for 1 or 2 outputs)
  --seed S        of the weights (0)
  --out DIR       where kernel.npy, manifest.json, heat maps and weights.safetensors are written (out)
  --precision P   f32 or f64 (f32); f64 on the CPU only
  --device D      cpu, gpu (the best graphics card), all (all of them), or a part of a card's name (cpu)
  --data DIR      the folder of the four idx files (examples/data/mnist69 of this crate)";

pub struct Options {
    pub samples: usize,
    pub outputs: usize,
    pub mode: Outputs,
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
            samples: 250,
            outputs: 2,
            mode: Outputs::Full,
            seed: 0,
            out: PathBuf::from("out"),
            precision: Precision::F32,
            device: "cpu".into(),
            data: Path::new(env!("CARGO_MANIFEST_DIR")).join("data/mnist69"),
        };
        let mut mode = None;
        let mut parser = lexopt::Parser::from_iter(arguments);
        while let Some(argument) = parser.next().map_err(wrong)? {
            match argument {
                Long("samples") => options.samples = number(&mut parser, "--samples")?,
                Long("outputs") => options.outputs = number(&mut parser, "--outputs")?,
                Long("mode") => mode = Some(mode_of(&word(&mut parser)?)?),
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
        if !(1..=10).contains(&options.outputs) {
            return Err(Error::value(format!("--outputs is {}, but it must be 1 to 10", options.outputs)));
        }
        // A full kernel is C x C times as large, so it is not the default for many outputs.
        options.mode = mode.unwrap_or(if options.outputs <= 2 { Outputs::Full } else { Outputs::TraceMean });
        Ok(Some(options))
    }

    /// The rows of K for one digit.
    pub fn rows_of_a_digit(&self) -> usize {
        if self.mode == Outputs::Full { self.outputs } else { 1 }
    }
}

fn mode_of(word: &str) -> Result<Outputs> {
    match word {
        "full" => Ok(Outputs::Full),
        "trace-mean" => Ok(Outputs::TraceMean),
        other => Err(Error::value(format!("--mode is '{other}', but it must be full or trace-mean"))),
    }
}
