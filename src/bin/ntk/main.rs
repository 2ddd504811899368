//! `ntk`: kernels of ONNX networks from a shell. A file for each command; `arguments.rs` is all that may be said.

mod arguments;
mod classify;
mod compute;
mod devices;
mod differences;
mod heatmap;
mod info;
mod inputs;
mod kernel;
mod manifest;
mod parsers;
mod plan;
mod progress;
mod spectrum;
mod stored;
mod verify;

use std::io::Write;
use std::process::ExitCode;

use arguments::{Command, Ntk};
use clap::Parser;
use serde_json::Value;
use tangent_kernels::Result;

/// What a command has to say.
struct Answer {
    text: String,
    json: Value,
    /// Whether what was asked is so: 0 or 1 as the exit code.
    good: bool,
}

fn main() -> ExitCode {
    // Wrong usage ends here, with 2 as the exit code.
    let Ntk { command, json } = Ntk::parse();
    match run(command) {
        Ok(answer) => {
            let text = if json { format!("{:#}", answer.json) } else { answer.text };
            // A pipe whose reader has seen enough is no failure.
            let _ = writeln!(std::io::stdout(), "{}", text.trim_end());
            ExitCode::from(u8::from(!answer.good))
        }
        Err(error) => {
            eprintln!("ntk: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(command: Command) -> Result<Answer> {
    match command {
        Command::Info(options) => info::run(&options),
        Command::Plan(options) => plan::run(&options),
        Command::Kernel(options) => kernel::run(&options),
        Command::Verify(options) => verify::run(&options),
        Command::Spectrum(options) => spectrum::run(&options),
        Command::Classify(options) => classify::run(&options),
        Command::Heatmap(options) => heatmap::run(&options),
        Command::Merge(options) => stored::merge(&options),
        Command::Check(options) => stored::check(&options),
        Command::Devices => devices::run(),
    }
}
