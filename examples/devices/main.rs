//! The GPUs of this machine, their limits, and which of them compute kernels.
//!
//! With `--tune` it also times the tile shapes, as a kernel does before its first tile.

mod print;

use std::process::ExitCode;

use lexopt::prelude::*;
use serde_json::{Value, json};
use tangent_kernels::extend::gpu::{Adapter, Tuned};
use tangent_kernels::{Error, Gpu, Result};
use tangent_kernels_examples::table;

const HELP: &str = "\
The graphics devices of this machine.

usage: devices [--tune] [--json]

  --tune   times the shapes of tiles on every device
  --json   as one JSON object

The exit code is 1 if there is no device that kernels can be computed on.";

const NONE: &str = "\
there is no graphics device, or no driver for one. What a driver comes with:
  Linux    Vulkan: the card's own driver, or Mesa's (mesa-vulkan-drivers; for one of software, too) with libvulkan1
  Windows  DirectX 12 or Vulkan: the card's own driver
  macOS    Metal: the system itself";

struct Options {
    tune: bool,
    json: bool,
}

/// A device of the list.
struct Listed {
    adapter: Adapter,
    /// `--device gpu` selects it.
    is_best: bool,
    /// `--device all` includes it.
    is_among_all: bool,
    /// The reason, if it cannot be used.
    error: Option<Error>,
    /// Tile shapes with their times, after `--tune`.
    tuned: Vec<Tuned>,
}

fn main() -> ExitCode {
    let options = match parse() {
        Ok(Some(options)) => options,
        Ok(None) => return ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("devices: {error}");
            return ExitCode::from(2);
        }
    };
    let list = list(&options);
    match (options.json, list.is_empty()) {
        (true, _) => println!("{:#}", json!({ "devices": list.iter().map(Listed::json).collect::<Vec<_>>() })),
        (false, true) => eprintln!("devices: {NONE}"),
        (false, false) => print::print(&list),
    }
    if list.iter().any(|listed| listed.is_best) { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// All devices. Each is opened, because only that shows whether it can be used.
fn list(options: &Options) -> Vec<Listed> {
    let adapters = Adapter::all();
    let mut list: Vec<Listed> = Vec::new();
    for adapter in &adapters {
        let found = Gpu::on(adapter).and_then(|gpu| if options.tune { gpu.tune() } else { Ok(Vec::new()) });
        let (tuned, error) = match found {
            Ok(tuned) => (tuned, None),
            Err(error) => (Vec::new(), Some(error)),
        };
        let works = error.is_none();
        list.push(Listed {
            is_best: works && list.iter().all(|before| !before.is_best),
            is_among_all: works && adapter.takes_part(&adapters),
            adapter: adapter.clone(),
            error,
            tuned,
        });
    }
    list
}

impl Listed {
    fn json(&self) -> Value {
        let limits = self
            .adapter
            .limits()
            .into_iter()
            .map(|(limit, has, needed)| json!({ "limit": limit, "has": has, "needed": needed }));
        json!({
            "name": self.adapter.name(),
            "kind": self.adapter.kind(),
            "driver": self.adapter.driver(),
            "gpu": self.is_best,
            "all": self.is_among_all,
            "error": self.error.as_ref().map(Error::to_string),
            "limits": limits.collect::<Vec<_>>(),
            "tuned": self.tuned.iter().map(tuned_json).collect::<Vec<_>>(),
        })
    }
}

fn tuned_json(tuned: &Tuned) -> Value {
    json!({
        "shape": tuned.shape.to_string(),
        "seconds": tuned.time.as_secs_f64(),
        "gflops": tuned.flops / tuned.time.as_secs_f64() / 1e9,
    })
}

/// `None` after `--help`.
fn parse() -> Result<Option<Options>> {
    let wrong = |error: lexopt::Error| Error::value(format!("{error}; --help lists the options"));
    let mut options = Options { tune: false, json: false };
    let mut parser = lexopt::Parser::from_env();
    while let Some(argument) = parser.next().map_err(wrong)? {
        match argument {
            Long("tune") => options.tune = true,
            Long("json") => options.json = true,
            Long("help") | Short('h') => {
                println!("{HELP}");
                return Ok(None);
            }
            other => return Err(wrong(other.unexpected())),
        }
    }
    Ok(Some(options))
}
