//! `ntk merge` and `ntk check`

use serde_json::json;
use tangent_kernels::Result;
use tangent_kernels::store::{self, CorruptRegion, Report};

use crate::Answer;
use crate::arguments::Stored;

pub fn merge(options: &Stored) -> Result<Answer> {
    store::merge(&options.kernel).map(answer)
}

pub fn check(options: &Stored) -> Result<Answer> {
    store::check(&options.kernel).map(answer)
}

fn answer(report: Report) -> Answer {
    let json = json!({
        "kernel": report.path.display().to_string(),
        "finished": report.finished,
        "regions": report.regions,
        "done": report.done,
        "missing": report.missing.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "corrupt": report.corrupt.iter().map(describe).collect::<Vec<_>>(),
        "intact": report.is_intact(),
    });
    Answer { text: report.to_string(), json, good: report.is_intact() }
}

fn describe(corrupt: &CorruptRegion) -> String {
    format!("{}: {}", corrupt.location, corrupt.fault)
}
