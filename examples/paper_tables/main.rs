//! Tables 1 to 4 of the paper (Engel et al., section 4), on this machine: time and memory of every method on MLP and
//! MLP-h, with the paper's figures; or one cell of them, or of a CNN, as text or JSON.
//!
//! Every cell of the tables is a process of its own, so that peaks of memory do not mix, and one that is killed does not
//! take the others with it.

mod cell;
mod child;
mod claims;
mod memory;
mod network;
mod options;
mod paper;
mod print;
mod tables;

use std::process::ExitCode;

use tangent_kernels::Gram;
use tangent_kernels::{Cpu, Device, Error, Result};
use tangent_kernels_benches::{cnn, device as ruler, machine, memory as resident, mlp};
use tangent_kernels_examples::{device, table};

use options::{Command, Precision};

/// The exit code of a process that has too little memory; [`child`] reads it.
const OUT_OF_MEMORY: u8 = 3;

fn main() -> ExitCode {
    // A missing device is reported before any work.
    let opened =
        Command::parse(std::env::args_os()).and_then(|command| Ok((device::single(command.device())?, command)));
    let (device, command) = match opened {
        Ok(opened) => opened,
        Err(error) => return failed(&error, 2),
    };
    match run(command, device) {
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

fn run(command: Command, device: Device) -> Result<()> {
    match command {
        Command::Help => Command::help(),
        Command::Tables { precision, device: word, minutes } => {
            let place = place(device);
            tables::run(precision, &tables::Place { word, place }, minutes)?;
        }
        Command::Cell { cell, json, quick, .. } => {
            let measured = match cell.precision {
                Precision::F32 => cell::measure(cell, device, quick)?,
                Precision::F64 => cell::measure(cell, Cpu::<f64>::new(), quick)?,
            };
            if json {
                println!("{}", measured.json());
            } else {
                measured.print();
            }
        }
    }
    Ok(())
}

/// The tables' description of a device, which is closed again: each cell opens it itself.
fn place(device: Device) -> String {
    device::place(&device.name()) + if device.is_cpu() { " on a CPU" } else { "" }
}
