//! `ntk plan`

use serde_json::Value;
use tangent_kernels::Gram;
use tangent_kernels::{Error, Result, Session};

use crate::Answer;
use crate::arguments::{Network, Plan};
use crate::compute::{Task, configure, on_device};
use crate::inputs::{SampleFiles, build, network};

pub fn run(options: &Plan) -> Result<Answer> {
    on_device(&options.computing, Planning { options })
}

struct Planning<'a> {
    options: &'a Plan,
}

impl Task for Planning<'_> {
    type Output = Answer;

    fn run<B: Gram>(self, arrays: B) -> Result<Answer> {
        let options = self.options;
        let decoded = network(&options.network)?;
        let x = SampleFiles::parse(&options.x).read::<B::Number>(&decoded)?;
        let columns = options.z.as_ref().map(|z| sample_count::<B>(&options.network, z)).transpose()?;
        let rows = x.first().map_or(0, |array| array.samples());
        let built = build(&options.network, decoded, &x)?;
        let session = Session::new(&built.model, arrays)?;
        let ntk = configure(session.ntk(), &options.computing);
        let plan = match columns {
            Some(columns) => ntk.plan_between(rows, columns)?,
            None => ntk.plan(rows)?,
        };
        Ok(Answer { text: plan.to_string(), json: parse_json(&plan.to_json())?, good: true })
    }
}

fn sample_count<B: Gram>(options: &Network, files: &str) -> Result<usize> {
    let arrays = SampleFiles::parse(files).read::<B::Number>(&network(options)?)?;
    Ok(arrays.first().map_or(0, |array| array.samples()))
}

/// Parses JSON that the library wrote.
pub fn parse_json(text: &str) -> Result<Value> {
    serde_json::from_str(text).map_err(|error| Error::format(format!("the library wrote invalid JSON: {error}")))
}
