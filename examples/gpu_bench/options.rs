//! The command line.

use std::ffi::OsString;

use lexopt::prelude::*;
use tangent_kernels::{Error, Result};

const HELP: &str = "\
Matrix products and whole kernels on a GPU, compared with the CPU, in f32.

usage: gpu_bench [--device D] [--quick] [--peak-tflops T] [--json]

  --device D        gpu (the best GPU), all (all GPUs), or a part of a GPU's name (gpu)
  --quick           small cases, for software drivers
  --peak-tflops T   the GPU's peak in f32, without matrix units; known for some GPUs
  --json            print one JSON object

Products are n samples of k features with themselves, by Reductions::matmul; on the CPU by blocks of rows on all threads.
Kernels are those of the paper's MLP (4 layers of 100) and MLP-h (8 of 1000), whole, into a sink that stores nothing.
FLOP/s count the operations of the plan. Times are medians.

Transfers: the bytes up and down in a kernel, divided by rates measured with one array of 32 MB. Their part of the
kernel's time is an upper bound, because a device can compute meanwhile.";

pub struct Options {
    pub device: String,
    pub quick: bool,
    pub json: bool,
    /// In FLOP/s.
    pub peak: Option<f64>,
}

impl Options {
    /// `None` after `--help`.
    pub fn parse(arguments: impl IntoIterator<Item = OsString>) -> Result<Option<Self>> {
        let wrong = |error: lexopt::Error| Error::value(format!("{error}; --help lists the options"));
        let word = |parser: &mut lexopt::Parser| parser.value().and_then(|value| value.string()).map_err(wrong);
        let mut options = Options { device: "gpu".into(), quick: false, json: false, peak: None };
        let mut parser = lexopt::Parser::from_iter(arguments);
        while let Some(argument) = parser.next().map_err(wrong)? {
            match argument {
                Long("device") => options.device = word(&mut parser)?,
                Long("quick") => options.quick = true,
                Long("json") => options.json = true,
                Long("peak-tflops") => options.peak = Some(peak(&word(&mut parser)?)?),
                Long("help") | Short('h') => {
                    println!("{HELP}");
                    return Ok(None);
                }
                other => return Err(wrong(other.unexpected())),
            }
        }
        if options.device == "cpu" {
            return Err(Error::value(
                "--device is 'cpu', but every device is compared with the CPU; name a GPU (--help lists the options)",
            ));
        }
        Ok(Some(options))
    }
}

fn peak(word: &str) -> Result<f64> {
    let fits = |peak: &f64| peak.is_finite() && *peak > 0.0;
    let parsed: Option<f64> = word.parse().ok().filter(fits);
    let peak =
        parsed.ok_or_else(|| Error::value(format!("--peak-tflops is '{word}', where a number above 0 is needed")))?;
    Ok(1e12 * peak)
}
