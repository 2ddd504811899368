//! What memory there is, what a cell would take, and what it took.

use tangent_kernels::{Cpu, Error, Model, Real, Result, Session};

use crate::options::{Cell, is_explicit};

/// Bytes of a line such as `VmHWM:  1234 kB`; `None` where there is no such file or line.
fn kilobytes(file: &str, key: &str) -> Option<f64> {
    let text = std::fs::read_to_string(file).ok()?;
    let line = text.lines().find(|line| line.starts_with(key))?;
    let number: f64 = line.split_whitespace().nth(1)?.parse().ok()?;
    Some(number * 1024.0)
}

/// Bytes that this machine could still give; `None` where it does not say.
fn available() -> Option<f64> {
    kilobytes("/proc/meminfo", "MemAvailable:")
}

/// The most memory of this process since it was made.
pub struct Peak {
    before: Option<f64>,
}

impl Peak {
    /// Puts the mark back to what is held now, so that what was held and freed before (the ruler) does not hide a peak.
    /// Where the system does not allow it the mark stays, and only what goes beyond it is seen.
    pub fn new() -> Self {
        let _ = std::fs::write("/proc/self/clear_refs", "5");
        Peak { before: mark() }
    }

    /// Bytes beyond the beginning.
    pub fn bytes(&self) -> Option<f64> {
        Some((mark()? - self.before?).max(0.0))
    }
}

fn mark() -> Option<f64> {
    kilobytes("/proc/self/status", "VmHWM:")
}

/// What Jacobian rows take beside what the plan counts, while they are put together: up to 1.31 times as much was seen.
const ROWS_MARGIN: f64 = 1.35;

/// Bytes that the cell is predicted to take beyond its model: the plan's peak and the samples.
fn predicted<R: Real>(model: &Model, cell: &Cell) -> Result<f64> {
    let session = Session::new(model, Cpu::<R>::new())?;
    let plan = session.ntk().method(cell.method).components(false).explain(cell.samples)?;
    let entries = cell.samples as f64 * model.input_shape().iter().product::<usize>() as f64;
    let margin = if is_explicit(cell.method) { 1.0 } else { ROWS_MARGIN };
    Ok(margin * plan.peak_bytes(rayon::current_num_threads()) + entries * size_of::<R>() as f64)
}

/// # Errors
/// The cell would not fit: better said before than killed in the middle.
pub fn check<R: Real>(model: &Model, cell: &Cell) -> Result<()> {
    let (needed, available) = (predicted::<R>(model, cell)?, available().unwrap_or(f64::INFINITY));
    if needed <= available {
        return Ok(());
    }
    Err(Error::memory(format!(
        "{} of {} samples may take {:.1} GB, and {:.1} GB are free",
        cell.method,
        cell.samples,
        needed / 1e9,
        available / 1e9
    )))
}
