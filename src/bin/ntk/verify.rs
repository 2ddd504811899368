//! `ntk verify`

use std::path::Path;

use serde_json::{Value, json};
use tangent_kernels::Gram;
use tangent_kernels::io::npy;
use tangent_kernels::io::onnx::Built;
use tangent_kernels::kernel::{FORWARD_MODE_ENTRIES, Verification};
use tangent_kernels::{Cpu, Error, Method, Result, Samples, Session, Subset};

use crate::Answer;
use crate::arguments::{Computing, Precision, Verify};
use crate::compute::{Task, on_device};
use crate::differences::{self, Differences};
use crate::inputs::{SampleFiles, batches, build, network};

/// The largest allowed difference between two methods in f32, relative to the component.
const F32_LIMIT: f64 = 1e-4;
/// The same in f64.
const F64_LIMIT: f64 = 1e-10;
/// The largest allowed difference of outputs from those of a framework that computes in f32, relative to the largest.
const OUTPUT_LIMIT: f64 = 1e-4;
/// The most memory for a whole Jacobian.
const MOST_BYTES: f64 = 8e9;

pub fn run(options: &Verify) -> Result<Answer> {
    let computing = Computing {
        mode: tangent_kernels::Outputs::Full,
        parameters: Vec::new(),
        precision: options.precision,
        device: "cpu".into(),
        method: Method::Structured,
        threads: None,
        memory: None,
    };
    on_device(&computing, Verifying { options })
}

struct Verifying<'a> {
    options: &'a Verify,
}

impl Task for Verifying<'_> {
    type Output = Answer;

    fn run<B: Gram>(self, arrays: B) -> Result<Answer> {
        let options = self.options;
        let decoded = network(&options.network)?;
        let files = SampleFiles::parse(&options.x);
        let x = files.read::<B::Number>(&decoded)?;
        // Finite differences always use f64.
        let x_f64 = files.read::<f64>(&decoded)?;
        let built = build(&options.network, decoded, &x)?;
        let x = batches(&built, &x)?;
        let x_f64 = batches(&built, &x_f64)?;
        check_memory(&built, options.samples.min(x.samples()))?;
        let verification = Session::new(&built.model, arrays)?.ntk().verify(&x, options.samples)?;
        let differences = differences(&built, &x_f64, options.samples)?;
        let limit = if options.precision == Precision::F32 { F32_LIMIT } else { F64_LIMIT };
        let checks = Checks {
            outputs: options.expect.as_deref().map(|path| compare_outputs(path, &built, &x_f64)).transpose()?,
            stops_gradients: built.stops_gradients,
            without_parameters: built.model.parameter_count() == 0,
        };
        Ok(answer(&verification, &differences, limit, &checks))
    }
}

/// The largest difference between one method and the structured method.
struct Row {
    method: String,
    worst: f64,
    component: String,
}

fn rows(verification: &Verification) -> Vec<Row> {
    let mut rows = Vec::new();
    for other in &verification.methods {
        let (worst, component) = other.worst.clone();
        rows.push(Row { method: other.method.to_string(), worst, component });
    }
    rows.sort_by(|a, b| a.method.cmp(&b.method));
    rows
}

fn answer(verification: &Verification, differences: &Differences, limit: f64, checks: &Checks) -> Answer {
    let rows = rows(verification);
    let agree = checks.without_parameters || rows.iter().all(|row| row.worst <= limit);
    let smooth = checks.stops_gradients || differences.is_good();
    let expected = checks.outputs.is_none_or(|off| off <= OUTPUT_LIMIT);
    let good = agree && smooth && expected;
    let width = rows.iter().map(|row| row.method.len()).max().unwrap_or(0).max(18);
    let mut text = format!("{} samples, the structured method compared with\n\n", verification.samples);
    text += &format!("{:<width$}  worst difference  in\n", "method");
    for Row { method, worst, component } in &rows {
        text += &format!("{method:<width$}  {worst:>16.1e}  {component}\n");
    }
    if verification.methods.iter().all(|other| other.method != Method::ForwardMode) {
        text += &format!("{:<width$}  skipped: more than {FORWARD_MODE_ENTRIES} entries\n", "forward-mode");
    }
    let Differences { worst, parameter, .. } = differences;
    text += &format!("{:<width$}  {worst:>16.1e}  {parameter}\n", "finite differences");
    text += &format!("\n{}\n", differences.summary());
    if checks.stops_gradients {
        text += "the network stops gradients (detach), so finite differences do not count\n";
    }
    text += &match checks.outputs {
        Some(off) => format!("the outputs differ from the expected ones by {off:.1e}, relative to the largest\n"),
        None => "the outputs were not compared with the framework's: use --expect Y.npy\n".to_string(),
    };
    text += &if good {
        format!("verified: the methods agree to {limit:.0e}, and the gradients agree with finite differences\n")
    } else if !expected {
        format!("NOT VERIFIED: the outputs differ from the expected ones by more than {OUTPUT_LIMIT:.0e}\n")
    } else if agree {
        "NOT VERIFIED: too many finite differences do not agree\n".to_string()
    } else {
        format!("NOT VERIFIED: a difference between methods exceeds {limit:.0e}\n")
    };
    let json = json!({
        "samples": verification.samples,
        "limit": limit,
        "methods": rows.iter().map(row_json).collect::<Vec<_>>(),
        "finite_differences": differences.json(),
        "outputs": checks.outputs,
        "verified": good,
    });
    Answer { text, json, good }
}

fn row_json(row: &Row) -> Value {
    json!({ "method": row.method, "worst": row.worst, "component": row.component })
}

/// Results other than the comparisons of methods.
struct Checks {
    /// The difference of the outputs from the expected ones, relative to the largest of these.
    outputs: Option<f64>,
    stops_gradients: bool,
    without_parameters: bool,
}

/// Compares the outputs on all samples with those in a file.
fn compare_outputs(path: &Path, built: &Built, x: &dyn Samples<f64>) -> Result<f64> {
    let (shape, expected): (Vec<usize>, Vec<f64>) = npy::read_numbers(path)?;
    let found = Session::new(&built.model, Cpu::<f64>::new())?.run(x)?;
    if expected.len() != found.len() {
        return Err(Error::shape(format!(
            "{}: expected outputs of shape {shape:?}, but the network has {} outputs for each of {} samples",
            path.display(),
            built.model.outputs(),
            x.samples()
        )));
    }
    let scale = expected.iter().fold(f64::MIN_POSITIVE, |largest, y| largest.max(y.abs()));
    let mut worst = 0.0;
    for (found, expected) in found.iter().zip(&expected) {
        let difference = (found - expected).abs();
        // NaN counts as a difference.
        if difference > worst || difference.is_nan() {
            worst = difference;
        }
    }
    Ok(worst / scale)
}

/// Rejects a Jacobian that does not fit in memory, before any work is done.
fn check_memory(built: &Built, samples: usize) -> Result<()> {
    let outputs = built.model.outputs();
    let entries = built.model.parameter_count();
    let bytes = samples as f64 * outputs as f64 * entries as f64 * 8.0;
    if bytes <= MOST_BYTES {
        return Ok(());
    }
    Err(Error::memory(format!(
        "the Jacobian of {samples} samples, {outputs} outputs and {entries} entries of parameters needs {:.1} GB: use \
         fewer --samples, or a single --output",
        bytes / 1e9
    )))
}

/// Compares finite differences on `samples` samples, spread evenly.
fn differences(built: &Built, x: &dyn Samples<f64>, samples: usize) -> Result<Differences> {
    let n = x.samples();
    let samples = samples.min(n);
    let indices: Vec<usize> = (0..samples).map(|k| k * n / samples).collect();
    let subset = Subset::new(x, &indices)?;
    differences::against_jacobian(&built.model, Cpu::new(), &subset)
}
