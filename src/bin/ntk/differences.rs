//! Comparison of the Jacobian with central differences of the outputs.

use serde_json::{Value, json};
use tangent_kernels::{Cpu, Jacobian, Model, Result, Samples, Session};

use crate::progress::Bar;

/// The most entries that are compared.
const MOST_ENTRIES: usize = 2_000;
/// The most numbers that may be read for all comparisons together.
const MOST_WORK: usize = 4_000_000_000;
/// The tolerance, relative to the parameter's largest derivative.
const TOLERANCE: f64 = 1e-5;
/// The allowed fraction of entries beyond the tolerance that are not at a kink.
const ROUGH: f64 = 0.01;

/// The result of the comparison.
pub struct Differences {
    /// The number of entries that were compared.
    checked: usize,
    /// The number of entries of all parameters.
    total: usize,
    /// The number of compared entries whose difference exceeds the tolerance in an output of a sample.
    failures: usize,
    /// The number of failures at a kink: the outputs have different slopes on both sides.
    kinks: usize,
    /// The largest difference within the tolerance, relative to the parameter's largest derivative.
    pub worst: f64,
    /// The parameter with that difference.
    pub parameter: String,
}

impl Differences {
    /// A network without parameters has nothing to compare.
    pub fn is_good(&self) -> bool {
        (self.failures - self.kinks) as f64 <= ROUGH * self.checked as f64
    }

    pub fn summary(&self) -> String {
        let Differences { checked, total, failures, kinks, .. } = self;
        format!(
            "central differences of {checked} of {total} entries: {failures} differ by more than {TOLERANCE:.0e}, {kinks} of \
             them at kinks (allowed: {} % elsewhere)",
            100.0 * ROUGH
        )
    }

    pub fn json(&self) -> Value {
        let Differences { checked, total, failures, kinks, worst, parameter } = self;
        json!({
            "entries": checked, "total": total, "failures": failures, "kinks": kinks, "tolerance": TOLERANCE,
            "worst": worst, "parameter": parameter,
        })
    }
}

/// A parameter of the model, with its values and its rows of the Jacobian.
struct Parameter<'a> {
    name: &'a str,
    shape: &'a [usize],
    values: &'a [f64],
    /// The Jacobian, `[samples * outputs, entries]`.
    rows: &'a [f64],
    /// The largest derivative. Derivatives of unused parameters are rounding errors only, so there is a lower bound.
    scale: f64,
}

/// The difference of one entry's derivatives over all outputs.
struct Comparison {
    difference: f64,
    /// The part of the difference that rounding of the outputs can cause.
    rounding: f64,
    /// Whether every derivative that differs is between the slopes on both sides, which differ themselves.
    at_kink: bool,
}

/// Compares central differences of the outputs with the Jacobian of reverse mode, for entries spread evenly over the
/// parameters.
///
/// # Errors
/// The model cannot be run.
pub fn against_jacobian(model: &Model, arrays: Cpu<f64>, x: &dyn Samples<f64>) -> Result<Differences> {
    let total = model.parameter_count();
    let entries = MOST_ENTRIES.min(MOST_WORK / total.max(1)).max(1);
    let jacobian = Session::new(model, arrays)?.jacobian(x)?;
    let parameters = parameters(model, &jacobian)?;
    let mut differences = Differences { checked: 0, total, failures: 0, kinks: 0, worst: 0.0, parameter: "-".into() };
    let middle = Session::new(model, arrays)?.run(x)?;
    let mut moved = model.clone();
    let bar = Bar::new("finite differences");
    for parameter in &parameters {
        let size = parameter.values.len();
        // The number of entries is proportional to the size, and at least one.
        let count = (entries * size).div_ceil(total.max(1)).clamp(size.min(1), size);
        for k in 0..count {
            let comparison = compare(&mut moved, arrays, x, parameter, &middle, k * size / count)?;
            let Comparison { difference, rounding, at_kink } = comparison;
            let relative = difference / parameter.scale;
            differences.checked += 1;
            bar.set(differences.checked, entries.min(total).max(parameters.len()));
            if difference > TOLERANCE * parameter.scale + rounding {
                differences.failures += 1;
                differences.kinks += usize::from(at_kink);
            } else if relative > differences.worst {
                differences.worst = relative;
                differences.parameter = parameter.name.to_string();
            }
        }
        moved.set(parameter.name, parameter.shape, parameter.values.to_vec())?;
    }
    Ok(differences)
}

fn parameters<'a>(model: &'a Model, jacobian: &'a Jacobian<f64>) -> Result<Vec<Parameter<'a>>> {
    let floor = 1e-8 * jacobian.iter().map(|(_, rows)| largest(rows)).fold(1e-300, f64::max);
    let mut parameters = Vec::new();
    for (info, values) in model.valued_parameters()? {
        let rows = jacobian.parameter(&info.name)?;
        let scale = largest(rows).max(floor);
        parameters.push(Parameter { name: &info.name, shape: &info.shape, values, rows, scale });
    }
    Ok(parameters)
}

/// Compares the derivatives by one entry of a parameter. `moved` keeps the changed entry.
fn compare(
    moved: &mut Model,
    arrays: Cpu<f64>,
    x: &dyn Samples<f64>,
    parameter: &Parameter<'_>,
    middle: &[f64],
    entry: usize,
) -> Result<Comparison> {
    let Parameter { name, shape, values, rows, scale } = *parameter;
    let size = values.len();
    let step = 1e-5 * values[entry].abs().max(0.1);
    moved.set(name, shape, with_entry(values, entry, values[entry] + step))?;
    let up = Session::new(&*moved, arrays)?.run(x)?;
    moved.set(name, shape, with_entry(values, entry, values[entry] - step))?;
    let down = Session::new(&*moved, arrays)?.run(x)?;
    let derivative = |row: usize| (up[row] - down[row]) / (2.0 * step);
    let difference = (0..up.len()).map(|row| (derivative(row) - rows[row * size + entry]).abs()).fold(0.0, f64::max);
    let rounding = largest(&up) * 4.0 * f64::EPSILON / step;
    let slack = TOLERANCE * scale + 2.0 * rounding;
    let between = |row: usize| {
        let (left, right) = ((middle[row] - down[row]) / step, (up[row] - middle[row]) / step);
        let exact = rows[row * size + entry];
        left.min(right) - slack <= exact && exact <= left.max(right) + slack
    };
    let at_kink = (0..up.len()).all(between);
    Ok(Comparison { difference, rounding, at_kink })
}

fn with_entry(values: &[f64], entry: usize, value: f64) -> Vec<f64> {
    let mut changed = values.to_vec();
    changed[entry] = value;
    changed
}

fn largest(numbers: &[f64]) -> f64 {
    numbers.iter().fold(0.0f64, |largest, x| largest.max(x.abs()))
}
