//! `ntk`: kernels of ONNX networks from a shell. There is one file per command. `arguments.rs` defines the options.

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
mod terminal;
mod verify;

use std::io::Write;
use std::process::ExitCode;

use arguments::{Command, Ntk};
use clap::Parser;
use serde_json::Value;
use tangent_kernels::Result;

/// The result of a command.
struct Answer {
    text: String,
    json: Value,
    /// False for a negative verdict. The exit code is then 1.
    good: bool,
}

fn main() -> ExitCode {
    // On wrong usage `parse` ends the process with exit code 2.
    let Ntk { command, json } = Ntk::parse();
    match run(command) {
        Ok(answer) => {
            let text = if json { format!("{:#}", answer.json) } else { answer.text };
            // A closed pipe is not an error: the reader has read enough.
            let _ = writeln!(std::io::stdout(), "{}", terminal::escape_text(text.trim_end()));
            ExitCode::from(u8::from(!answer.good))
        }
        Err(error) => {
            eprintln!("ntk: {}", terminal::escape_text(&error.to_string()));
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
