//! `ntk merge` and `ntk check`

use serde_json::json;
use tangent_kernels::Result;
use tangent_kernels::store::{self, Report};

use crate::Answer;
use crate::arguments::Stored;

pub fn merge(options: &Stored) -> Result<Answer> {
    store::merge(&options.kernel).map(told)
}

pub fn check(options: &Stored) -> Result<Answer> {
    store::check(&options.kernel).map(told)
}

fn told(report: Report) -> Answer {
    let json = json!({
        "kernel": report.path.display().to_string(),
        "finished": report.finished,
        "regions": report.regions,
        "done": report.done,
        "missing": report.missing.iter().map(|place| place.to_string()).collect::<Vec<_>>(),
        "corrupt": report.altered.iter().map(|altered| format!("{}: {}", altered.place, altered.fault)).collect::<Vec<_>>(),
        "whole": report.is_whole(),
    });
    Answer { text: report.to_string(), json, good: report.is_whole() }
}
