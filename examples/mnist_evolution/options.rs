//! The command line.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use lexopt::prelude::*;
use tangent_kernels::{Error, Result};

use crate::arguments::{check_samples, number, wrong};
use crate::digits::PER_CLASS;

const HELP: &str = "\
The kernel of the paper's network while it learns MNIST's sixes and nines: the experiment of Engel et al., section 5.2
and appendix B.

usage: mnist_evolution [--paper] [--samples N] [--steps N] [--kernels N] [--seeds N] [--out DIR] [--data DIR]

  --paper       as in the paper: 5000 images of each class, 20000 steps, 200 kernels of all images, and one of every
                step on 1000 of them; three seeds. It takes 40 minutes on two threads, without --paper half a minute
  --samples N   training images of each class, 1 to 5000 (500)
  --steps N     of gradient descent, full batch, at rate 0.01 (20000)
  --kernels N   about N kernels along training, evenly spaced on a logarithmic scale (60)
  --seeds N     trainings for the table, each from different weights; the first gives the pictures (1)
  --out DIR     where everything is written (out)
  --data DIR    the folder of the four idx files (examples/data/mnist69 of this crate)

It writes report.html, which shows all other files. figure_1_total.png to figure_5_d4.png are the initial and the final
kernel by layer. evolution.png and evolution.gif are the kernel along training. The curves are loss.png, accuracy.png,
trace.png, alignment.png, drift.png and eigenvalue.png. table_5.csv has the table. trajectory.csv has a line per layer
and kernel, written during training.";

pub struct Options {
    /// The paper's settings, with kernels of every step on a subset.
    pub paper: bool,
    pub samples: usize,
    pub steps: usize,
    pub kernels: usize,
    pub seeds: u64,
    pub out: PathBuf,
    pub data: PathBuf,
}

impl Options {
    /// `None` after `--help`.
    pub fn parse(arguments: impl IntoIterator<Item = OsString>) -> Result<Option<Self>> {
        let mut options = Options {
            paper: false,
            samples: 500,
            steps: 20_000,
            kernels: 60,
            seeds: 1,
            out: PathBuf::from("out"),
            data: Path::new(env!("CARGO_MANIFEST_DIR")).join("data/mnist69"),
        };
        let mut parser = lexopt::Parser::from_iter(arguments);
        while let Some(argument) = parser.next().map_err(wrong)? {
            match argument {
                Long("paper") => {
                    options = Options { paper: true, samples: PER_CLASS, kernels: 200, seeds: 3, ..options };
                }
                Long("samples") => options.samples = number(&mut parser, "--samples")?,
                Long("steps") => options.steps = number(&mut parser, "--steps")?,
                Long("kernels") => options.kernels = number(&mut parser, "--kernels")?,
                Long("seeds") => options.seeds = number(&mut parser, "--seeds")?,
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
        let least =
            [("--steps", options.steps as u64), ("--kernels", options.kernels as u64), ("--seeds", options.seeds)];
        match least.iter().find(|(_, number)| *number == 0) {
            Some((option, _)) => Err(Error::value(format!("{option} is 0, where at least 1 is needed"))),
            None => Ok(Some(options)),
        }
    }
}
