//! The Jacobian against central differences of the outputs.

use serde_json::{Value, json};
use tangent_kernels::{Cpu, Model, Result, Samples, Session};

use crate::progress::Bar;

/// How many entries are looked at at most, and how many numbers may be touched for them.
const MOST_ENTRIES: usize = 2_000;
const MOST_WORK: usize = 4_000_000_000;
/// What a difference may be off, relative to the parameter's largest derivative.
const ALLOWED: f64 = 1e-5;
/// The part of the entries that may be off more: those that a step takes across a kink.
const KINKS: f64 = 0.01;

/// What was found.
pub struct Differences {
    /// How many entries of parameters were looked at, of how many.
    looked_at: usize,
    of_all: usize,
    /// How many of them were off, in one sample's output or more.
    off: usize,
    /// The largest difference among the entries that were not off, relative to the parameter's largest derivative, and in
    /// which parameter.
    pub worst: f64,
    pub of: String,
}

impl Differences {
    pub fn is_good(&self) -> bool {
        self.looked_at > 0 && self.off as f64 <= KINKS * self.looked_at as f64
    }

    pub fn told(&self) -> String {
        let Differences { looked_at, of_all, off, .. } = self;
        format!(
            "central differences of {looked_at} of {of_all} entries, {off} of them off by more than {ALLOWED:.0e} (up to {} % \
             may be: a step across a kink is)",
            100.0 * KINKS
        )
    }

    pub fn json(&self) -> Value {
        let Differences { looked_at, of_all, off, worst, of } = self;
        json!({ "entries": looked_at, "of": of_all, "off": off, "allowed": ALLOWED, "worst": worst, "in": of })
    }
}

/// Moves entries of the parameters, spread evenly, up and down, and compares what the outputs do with the Jacobian of
/// reverse mode.
///
/// # Errors
/// The model cannot be run.
pub fn against_jacobian(model: &Model, arrays: Cpu<f64>, x: &dyn Samples<f64>) -> Result<Differences> {
    let jacobian = Session::new(model, arrays)?.jacobian(x)?;
    let all = model.parameter_count();
    let entries = MOST_ENTRIES.min(MOST_WORK / all.max(1)).max(1);
    let list: Vec<(String, Vec<f64>, Vec<usize>)> =
        model.valued_parameters()?.into_iter().map(|(i, v)| (i.name.clone(), v.to_vec(), i.shape.clone())).collect();
    let largest = |rows: &[f64]| rows.iter().fold(0.0f64, |largest, x| largest.max(x.abs()));
    // A parameter that nothing depends on has derivatives of rounding only.
    let floor = 1e-8 * jacobian.iter().map(|(_, rows)| largest(rows)).fold(1e-300, f64::max);
    let mut found = Differences { looked_at: 0, of_all: all, off: 0, worst: 0.0, of: "-".into() };
    let mut moved = model.clone();
    let bar = Bar::new("finite differences");
    for (name, values, shape) in &list {
        let size = values.len();
        // Every parameter has its part, and one entry at least.
        let count = (entries * size).div_ceil(all.max(1)).clamp(size.min(1), size);
        let rows = jacobian.parameter(name)?;
        let scale = largest(rows).max(floor);
        for k in 0..count {
            let entry = k * size / count;
            let step = 1e-5 * values[entry].abs().max(0.1);
            let mut at = |value: f64| -> Result<Vec<f64>> {
                let mut values = values.clone();
                values[entry] = value;
                moved.set(name, shape, values)?;
                Session::new(&moved, arrays)?.run(x)
            };
            let (up, down) = (at(values[entry] + step)?, at(values[entry] - step)?);
            let derivative = |row: usize| (up[row] - down[row]) / (2.0 * step);
            let difference =
                (0..up.len()).map(|row| (derivative(row) - rows[row * size + entry]).abs()).fold(0.0, f64::max);
            // Rounding of the outputs is no fault of the derivative.
            let rounding = up.iter().fold(0.0f64, |m, x| m.max(x.abs())) * 4.0 * f64::EPSILON / step;
            found.looked_at += 1;
            bar.at(found.looked_at, entries.min(all).max(list.len()));
            if difference > ALLOWED * scale + rounding {
                found.off += 1;
            } else if difference / scale > found.worst {
                (found.worst, found.of) = (difference / scale, name.clone());
            }
        }
        moved.set(name, shape, values.clone())?;
    }
    Ok(found)
}
