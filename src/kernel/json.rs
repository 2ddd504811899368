//! Plans, manifests and fingerprints of runs as JSON. All JSON of kernels is written here.

use serde_json::{Map, Value, json};

use super::manifest::Manifest;
use super::plan::{Plan, PlannedParameter};

impl Plan {
    /// The plan as JSON.
    pub fn to_json(&self) -> String {
        format!("{:#}", plan(self))
    }
}

impl Manifest {
    /// The manifest as JSON, to be written next to the kernel.
    pub fn to_json(&self) -> String {
        format!("{:#}\n", manifest(self))
    }
}

/// The hashes that identify a run, in addition to its manifest.
pub(super) struct RunHashes {
    pub model: u64,
    pub rows: u64,
    /// `None` for K(X, X).
    pub columns: Option<u64>,
    pub options: u64,
}

/// The fingerprint of a run.
pub(super) fn fingerprint(hashes: &RunHashes, of_run: &Manifest) -> String {
    let RunHashes { model, rows, columns, options } = hashes;
    let fingerprint = json!({
        "model": hex(*model),
        "samples": { "rows": hex(*rows), "columns": columns.map(hex) },
        "options": hex(*options),
        "manifest": manifest(of_run),
    });
    fingerprint.to_string()
}

fn hex(hash: u64) -> String {
    format!("{hash:016x}")
}

fn manifest(manifest: &Manifest) -> Value {
    let Manifest { version, device, method, plan: followed } = manifest;
    json!({ "version": version, "device": device, "method": method.to_string(), "plan": plan(followed) })
}

fn plan(plan: &Plan) -> Value {
    let (n, m) = plan.samples;
    let samples: Vec<usize> = std::iter::once(n).chain(m).collect();
    json!({
        "precision": plan.precision,
        "outputs": format!("{:?}", plan.outputs),
        "samples": samples,
        "block": plan.block,
        "chunk": plan.chunk,
        "tall": plan.tall,
        "wide": plan.wide,
        "resident": plan.resident,
        "forward_flops": plan.forward_flops,
        "reverse_flops": plan.reverse_flops,
        "result_bytes": plan.result_bytes,
        "thread_bytes": plan.thread_bytes,
        "budget_bytes": plan.budget,
        "rates": {
            "product": plan.rates.product,
            "positions": plan.rates.positions,
            "forming": plan.rates.forming,
            "entries": plan.rates.entries,
        },
        "parameters": plan.parameters.iter().map(parameter).collect::<Vec<_>>(),
    })
}

fn parameter(parameter: &PlannedParameter) -> Value {
    let alternatives = parameter.alternatives.iter();
    let alternatives: Map<String, Value> =
        alternatives.map(|(strategy, seconds)| (strategy.name().to_string(), json!(seconds))).collect();
    json!({
        "name": parameter.name,
        "shape": parameter.shape,
        "uses": parameter.uses,
        "positions": parameter.positions,
        "strategy": parameter.strategy.name(),
        "forming_flops": parameter.forming_flops,
        "gram_flops": parameter.gram_flops,
        "bytes": parameter.bytes,
        "seconds": parameter.seconds,
        "alternatives": alternatives,
    })
}
