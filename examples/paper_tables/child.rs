//! A cell in a process of its own.

use std::io::Read;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use tangent_kernels::{Error, Result};

use crate::OUT_OF_MEMORY;
use crate::options::Cell;

/// The entry of a table.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Outcome {
    Done {
        seconds: f64,
        peak_bytes: Option<f64>,
    },
    /// Printed as OOM.
    OutOfMemory,
    /// Printed as -.
    OutOfTime,
}

/// Runs the cell until it is done, or until `deadline`, when it is killed.
///
/// # Errors
/// The process cannot be started, or failed for another reason than memory.
pub fn run(cell: &Cell, device: &str, deadline: Instant) -> Result<Outcome> {
    let mut child = Command::new(std::env::current_exe()?)
        .args(["--model", cell.network.name(), "--method", cell.method.name()])
        .args(["--samples", &cell.samples.to_string(), "--outputs", &cell.outputs.to_string()])
        .args(["--precision", cell.precision.name(), "--device", device, "--json", "--quick"])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()?;
    let Some(status) = wait(&mut child, deadline)? else { return Ok(Outcome::OutOfTime) };
    // One line each fits a pipe's buffer without a reader.
    let (mut out, mut said) = (String::new(), String::new());
    child.stdout.take().expect("it is piped").read_to_string(&mut out)?;
    child.stderr.take().expect("it is piped").read_to_string(&mut said)?;
    match status.code() {
        Some(0) => parse(&out),
        // No code means killed: by the system when memory ran out, or by itself when an allocation failed.
        None => Ok(Outcome::OutOfMemory),
        Some(code) if code == i32::from(OUT_OF_MEMORY) => Ok(Outcome::OutOfMemory),
        Some(code) => Err(Error::io(format!("a cell ended with code {code}: {}", said.trim()))),
    }
}

/// The exit code; `None` if it was killed at the deadline.
fn wait(child: &mut Child, deadline: Instant) -> Result<Option<ExitStatus>> {
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status));
        }
        if Instant::now() >= deadline {
            child.kill()?;
            child.wait()?;
            return Ok(None);
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn parse(out: &str) -> Result<Outcome> {
    let value: serde_json::Value =
        serde_json::from_str(out).map_err(|e| Error::format(format!("a cell printed {out:?}: {e}")))?;
    let seconds = value["seconds"].as_f64();
    let seconds = seconds.ok_or_else(|| Error::format(format!("a cell printed no seconds: {out:?}")))?;
    Ok(Outcome::Done { seconds, peak_bytes: value["peak_bytes"].as_f64() })
}
