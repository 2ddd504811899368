//! `ntk verify`

use serde_json::json;
use tangent_kernels::backend::Gram;
use tangent_kernels::io::onnx::Built;
use tangent_kernels::kernel::FORWARD_MODE_ENTRIES;
use tangent_kernels::{Batch, Cpu, Error, Method, Result, Samples, Session, Subset};

use crate::Answer;
use crate::arguments::{Computing, Precision, Verify};
use crate::compute::{Task, on_device};
use crate::differences::{self, Differences};
use crate::inputs::{Files, batches, build, network};

/// How far two methods may be from each other, relative to the component.
const SINGLE: f64 = 1e-4;
const DOUBLE: f64 = 1e-10;
/// What a whole Jacobian may take.
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
    type Done = Answer;

    fn on<B: Gram>(self, arrays: B) -> Result<Answer> {
        let options = self.options;
        let decoded = network(&options.network)?;
        let files = Files::of(&options.x);
        let x = files.read::<B::Number>(&decoded)?;
        // Differences are taken in f64, whatever is verified.
        let precise = files.read::<f64>(&decoded)?;
        let built = build(&options.network, decoded, &x)?;
        let (x, precise) = (batches(&built, &x)?, batches(&built, &precise)?);
        fits(&built, options.samples.min(x.samples()))?;
        let session = Session::new(&built.model, arrays)?;
        let found = session.ntk().verify(&x, options.samples)?;
        let differences = differences(&built, &precise, options.samples)?;
        let limit = if options.precision == Precision::F32 { SINGLE } else { DOUBLE };
        let mut rows: Vec<(String, f64, String)> = found
            .methods
            .iter()
            .map(|other| (other.method.to_string(), other.worst.0, other.worst.1.clone()))
            .collect();
        rows.sort_by(|a, b| a.0.cmp(&b.0));
        let agree = rows.iter().all(|(_, worst, _)| *worst <= limit);
        let good = agree && differences.is_good();
        let width = rows.iter().map(|(name, ..)| name.len()).max().unwrap_or(0).max(18);
        let mut text = format!("{} samples, the structured method against\n\n", found.samples);
        text += &format!("{:<width$}  worst difference  in\n", "method");
        for (name, worst, of) in &rows {
            text += &format!("{name:<width$}  {worst:>16.1e}  {of}\n");
        }
        if found.methods.iter().all(|other| other.method != Method::ForwardMode) {
            text += &format!("{:<width$}  left out: more than {FORWARD_MODE_ENTRIES} entries\n", "forward-mode");
        }
        text += &format!("{:<width$}  {:>16.1e}  {}\n", "finite differences", differences.worst, differences.of);
        text += &format!("\n{}\n", differences.told());
        text += &match good {
            true => format!("verified: kernels agree to {limit:.0e}, gradients with differences\n"),
            false => format!("NOT VERIFIED: {limit:.0e} was allowed between methods\n"),
        };
        let json = json!({
            "samples": found.samples,
            "limit": limit,
            "methods": rows.iter().map(|(name, worst, of)| json!({ "method": name, "worst": worst, "in": of }))
                .collect::<Vec<_>>(),
            "finite_differences": differences.json(),
            "verified": good,
        });
        Ok(Answer { text, json, good })
    }
}

/// Refuses what would not fit in memory before it is begun.
fn fits(built: &Built, samples: usize) -> Result<()> {
    let (outputs, entries) = (built.model.outputs(), built.model.parameter_count());
    let bytes = samples as f64 * outputs as f64 * entries as f64 * 8.0;
    match bytes <= MOST_BYTES {
        true => Ok(()),
        false => Err(Error::memory(format!(
            "the Jacobian of {samples} samples, {outputs} outputs and {entries} entries of parameters takes {:.1} GB; fewer \
             --samples or one --output take less",
            bytes / 1e9
        ))),
    }
}

/// Differences on as many samples, spread evenly.
fn differences(built: &Built, x: &Vec<Batch<'_, f64>>, samples: usize) -> Result<Differences> {
    let n = x.samples();
    let samples = samples.min(n);
    let list: Vec<usize> = (0..samples).map(|k| k * n / samples).collect();
    let chosen = Subset::new(x, &list)?;
    differences::against_jacobian(&built.model, Cpu::new(), &chosen)
}
