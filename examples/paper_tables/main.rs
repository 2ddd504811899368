//! Tables 1 to 4 of the paper (Engel et al., section 4), on this machine: time and memory of every method on MLP and
//! MLP-h, with the paper's figures beside; or one cell of them, or of a CNN, as text or JSON.
//!
//! Every cell of the tables is a process of its own, so that peaks of memory do not mix, and one that is killed does not
//! take the others with it.

mod cell;
mod child;
mod claims;
#[path = "../../benches/common/cnn.rs"]
mod cnn;
#[path = "../../benches/common/machine.rs"]
mod machine;
mod memory;
mod network;
mod options;
mod paper;
mod print;
#[path = "../../benches/common/memory.rs"]
mod resident;
mod tables;

use std::process::ExitCode;

use tangent_kernels::{Error, Result};

use options::Command;

/// The exit code of a process that has too little memory, by which [`child`] knows it.
const OUT_OF_MEMORY: u8 = 3;

fn main() -> ExitCode {
    let command = match Command::parse(std::env::args_os()) {
        Ok(command) => command,
        Err(error) => return failed(&error, 2),
    };
    match run(command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) if error.is_memory() => failed(&error, OUT_OF_MEMORY),
        Err(error) if error.is_unsupported() => failed(&error, 2),
        Err(error) => failed(&error, 1),
    }
}

fn failed(error: &Error, code: u8) -> ExitCode {
    eprintln!("paper_tables: {error}");
    ExitCode::from(code)
}

fn run(command: Command) -> Result<()> {
    match command {
        Command::Help => Command::help(),
        Command::Tables { precision, minutes } => tables::run(precision, minutes)?,
        Command::Cell { cell, json, quick } => {
            let measured = cell::measure(cell, quick)?;
            if json {
                println!("{}", measured.json());
            } else {
                measured.print();
            }
        }
    }
    Ok(())
}
