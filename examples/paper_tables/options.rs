//! The command line.

use std::ffi::OsString;
use std::str::FromStr;

use lexopt::ValueExt;
use lexopt::prelude::*;
use tangent_kernels::{Error, Method, Result};

use crate::device;
use crate::network::Network;

const HELP: &str = "\
Time and memory of the paper's methods on the paper's networks (Engel et al., section 4), and on a CNN.

usage: paper_tables [--minutes M] [--precision f32|f64] [--device D]
       paper_tables --model mlp|mlp-h|cnn --samples N --method METHOD [--outputs 1|10] [--precision f32|f64]
                    [--device D] [--json] [--quick]

Without a model it runs Tables 1 to 4, as far as memory and time go, and prints them with the paper's figures.
With one it measures one cell.

  --model M       mlp (100-100-100-100-1), mlp-h (8 layers of 1000), cnn (convolutions 3-32-64-64 on 32 x 32)
  --samples N     1 or more
  --method M      full-jacobian, autograd, layerwise, layerwise-batched, structured, or closed-form (not for cnn)
  --outputs C     1 or 10, the full kernel (1)
  --precision P   f32 or f64 (f32); f64 on the CPU only
  --device D      cpu, gpu (the best GPU), all (all GPUs), or a part of a GPU's name (cpu)
  --json          the cell as one JSON object
  --quick         the cell without the matrix-product rate and with fewer repetitions, as the tables run it
  --minutes M     the time that the tables may take (10)

Exit codes: 0 done, 1 failed, 2 something that there is not or that cannot be done, 3 not enough memory.";

/// The precision of kernels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Precision {
    F32,
    F64,
}

impl Precision {
    pub fn name(self) -> &'static str {
        match self {
            Precision::F32 => "f32",
            Precision::F64 => "f64",
        }
    }
}

/// One figure of a table.
#[derive(Clone, Copy, Debug)]
pub struct Cell {
    pub network: Network,
    pub samples: usize,
    pub outputs: usize,
    pub method: Method,
    pub precision: Precision,
}

pub enum Command {
    Help,
    Cell { cell: Cell, device: String, json: bool, quick: bool },
    Tables { precision: Precision, device: String, minutes: f64 },
}

/// The paper's methods and ours, in the order of the tables.
pub const METHODS: [Method; 6] = [
    Method::Autograd,
    Method::Layerwise,
    Method::LayerwiseBatched,
    Method::FullJacobian,
    Method::ClosedForm,
    Method::Structured,
];

/// Whether the method takes derivatives in closed form, without a Jacobian: the paper's *explicit*, and its like for
/// every network.
pub fn is_explicit(method: Method) -> bool {
    matches!(method, Method::ClosedForm | Method::Structured)
}

/// The options as given, before they are checked together.
#[derive(Default)]
struct Said {
    network: Option<Network>,
    samples: Option<usize>,
    outputs: Option<usize>,
    method: Option<Method>,
    precision: Option<Precision>,
    device: Option<String>,
    minutes: Option<f64>,
    json: bool,
    quick: bool,
}

impl Command {
    pub fn parse(arguments: impl IntoIterator<Item = OsString>) -> Result<Self> {
        let mut said = Said::default();
        let mut parser = lexopt::Parser::from_iter(arguments);
        while let Some(argument) = parser.next().map_err(wrong)? {
            match argument {
                Long("model") => said.network = Some(Network::named(&word(&mut parser)?)?),
                Long("samples") => said.samples = Some(samples(&mut parser)?),
                Long("outputs") => said.outputs = Some(outputs(&mut parser)?),
                Long("method") => said.method = Some(method(&mut parser)?),
                Long("precision") => said.precision = Some(precision(&mut parser)?),
                Long("device") => said.device = Some(word(&mut parser)?),
                Long("minutes") => said.minutes = Some(minutes(&mut parser)?),
                Long("json") => said.json = true,
                Long("quick") => said.quick = true,
                Long("help") | Short('h') => return Ok(Command::Help),
                other => return Err(wrong(other.unexpected())),
            }
        }
        said.command()
    }

    /// The word after `--device`.
    pub fn device(&self) -> &str {
        match self {
            Command::Help => "cpu",
            Command::Cell { device, .. } | Command::Tables { device, .. } => device,
        }
    }

    pub fn help() {
        println!("{HELP}");
    }
}

impl Said {
    fn command(self) -> Result<Command> {
        let precision = self.precision.unwrap_or(Precision::F32);
        let device = self.device.unwrap_or("cpu".into());
        if precision == Precision::F64 {
            device::double(&device)?;
        }
        let Some(network) = self.network else {
            let lonely = [
                ("--samples", self.samples.is_some()),
                ("--outputs", self.outputs.is_some()),
                ("--method", self.method.is_some()),
                ("--json", self.json),
                ("--quick", self.quick),
            ];
            return match lonely.iter().find(|(_, said)| *said) {
                Some((option, _)) => Err(Error::value(format!("{option} is for one cell, which needs --model"))),
                None => Ok(Command::Tables { precision, device, minutes: self.minutes.unwrap_or(10.0) }),
            };
        };
        if self.minutes.is_some() {
            return Err(Error::value("--minutes is for all tables; with --model one cell is run, as long as it takes"));
        }
        let missing = |option: &str| Error::value(format!("with --model, {option} is needed"));
        let cell = Cell {
            network,
            samples: self.samples.ok_or_else(|| missing("--samples"))?,
            outputs: self.outputs.unwrap_or(1),
            method: self.method.ok_or_else(|| missing("--method"))?,
            precision,
        };
        Ok(Command::Cell { cell, device, json: self.json, quick: self.quick })
    }
}

fn wrong(error: lexopt::Error) -> Error {
    Error::value(format!("{error}; --help lists the options"))
}

fn word(parser: &mut lexopt::Parser) -> Result<String> {
    parser.value().and_then(|value| value.string()).map_err(wrong)
}

fn samples(parser: &mut lexopt::Parser) -> Result<usize> {
    let word = word(parser)?;
    match word.parse() {
        Ok(0) | Err(_) => Err(Error::value(format!("--samples is '{word}', but it must be a whole number from 1"))),
        Ok(samples) => Ok(samples),
    }
}

fn outputs(parser: &mut lexopt::Parser) -> Result<usize> {
    match word(parser)?.as_str() {
        "1" => Ok(1),
        "10" => Ok(10),
        other => Err(Error::value(format!("--outputs is '{other}', but it must be 1 or 10"))),
    }
}

fn method(parser: &mut lexopt::Parser) -> Result<Method> {
    let word = word(parser)?;
    let found = Method::from_str(&word).ok().filter(|method| METHODS.contains(method));
    found.ok_or_else(|| {
        let names: Vec<&str> = METHODS.iter().map(|method| method.name()).collect();
        Error::value(format!("--method is '{word}', but it must be one of {}", names.join(", ")))
    })
}

fn precision(parser: &mut lexopt::Parser) -> Result<Precision> {
    match word(parser)?.as_str() {
        "f32" => Ok(Precision::F32),
        "f64" => Ok(Precision::F64),
        other => Err(Error::value(format!("--precision is '{other}', but it must be f32 or f64"))),
    }
}

fn minutes(parser: &mut lexopt::Parser) -> Result<f64> {
    let word = word(parser)?;
    let fits = |minutes: &f64| minutes.is_finite() && *minutes > 0.0 && *minutes <= 1e5;
    let parsed = word.parse().ok().filter(fits);
    parsed.ok_or_else(|| Error::value(format!("--minutes is '{word}', but it must be a number above 0")))
}
