//! `ntk verify`

use serde_json::{Value, json};
use tangent_kernels::Gram;
use tangent_kernels::io::onnx::Built;
use tangent_kernels::kernel::{FORWARD_MODE_ENTRIES, Verification};
use tangent_kernels::{Batch, Cpu, Error, Method, Result, Samples, Session, Subset};

use crate::Answer;
use crate::arguments::{Computing, Precision, Verify};
use crate::compute::{Task, on_device};
use crate::differences::{self, Differences};
use crate::inputs::{SampleFiles, batches, build, network};

/// The largest allowed difference between two methods in f32, relative to the component.
const F32_LIMIT: f64 = 1e-4;
/// The same in f64.
const F64_LIMIT: f64 = 1e-10;
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
        Ok(answer(&verification, &differences, limit))
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

fn answer(verification: &Verification, differences: &Differences, limit: f64) -> Answer {
    let rows = rows(verification);
    let good = rows.iter().all(|row| row.worst <= limit) && differences.is_good();
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
    text += &if good {
        format!("verified: the methods agree to {limit:.0e}, and the gradients agree with finite differences\n")
    } else {
        format!(
            "NOT VERIFIED: a difference between methods exceeds {limit:.0e}, or too many finite differences do not agree\n"
        )
    };
    let json = json!({
        "samples": verification.samples,
        "limit": limit,
        "methods": rows.iter().map(row_json).collect::<Vec<_>>(),
        "finite_differences": differences.json(),
        "verified": good,
    });
    Answer { text, json, good }
}

fn row_json(row: &Row) -> Value {
    json!({ "method": row.method, "worst": row.worst, "component": row.component })
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
fn differences(built: &Built, x: &Vec<Batch<'_, f64>>, samples: usize) -> Result<Differences> {
    let n = x.samples();
    let samples = samples.min(n);
    let indices: Vec<usize> = (0..samples).map(|k| k * n / samples).collect();
    let subset = Subset::new(x, &indices)?;
    differences::against_jacobian(&built.model, Cpu::new(), &subset)
}
