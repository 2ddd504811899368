//! Whether a cell fits in memory.

use tangent_kernels::{Cpu, Error, Model, Real, Result, Session};

use crate::options::{Cell, is_explicit};
use crate::resident::available;

/// The memory of Jacobian rows relative to the plan's count while they are assembled: up to 1.31 was measured.
const ROWS_MARGIN: f64 = 1.35;

/// Bytes that the cell is predicted to take beyond its model: the plan's peak and the samples. The memory of a GPU
/// does not count; parameters, samples and K do.
fn predicted<R: Real>(model: &Model, cell: &Cell, on_cpu: bool) -> Result<f64> {
    let session = Session::new(model, Cpu::<R>::new())?;
    let plan = session.ntk().method(cell.method).components(false).plan(cell.samples)?;
    let entries = cell.samples as f64 * model.input_shape().iter().product::<usize>() as f64;
    if !on_cpu {
        return Ok(plan.parameter_bytes + plan.result_bytes + entries * size_of::<R>() as f64);
    }
    let margin = if is_explicit(cell.method) { 1.0 } else { ROWS_MARGIN };
    Ok(margin * plan.peak_bytes(rayon::current_num_threads()) + entries * size_of::<R>() as f64)
}

/// The bytes that the cell is predicted to take.
///
/// # Errors
/// The cell would not fit; the error comes before the run.
pub fn check<R: Real>(model: &Model, cell: &Cell, on_cpu: bool) -> Result<f64> {
    let (needed, available) = (predicted::<R>(model, cell, on_cpu)?, available().unwrap_or(f64::INFINITY));
    if needed <= available {
        return Ok(needed);
    }
    Err(Error::memory(format!(
        "{} of {} samples may take {:.1} GB, and {:.1} GB are free",
        cell.method,
        cell.samples,
        needed / 1e9,
        available / 1e9
    )))
}
