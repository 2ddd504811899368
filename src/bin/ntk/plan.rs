//! `ntk plan`

use serde_json::Value;
use tangent_kernels::backend::Gram;
use tangent_kernels::{Error, Result, Session};

use crate::Answer;
use crate::arguments::{Network, Plan};
use crate::compute::{Task, asked, on_device};
use crate::inputs::{Files, build, network};

pub fn run(options: &Plan) -> Result<Answer> {
    on_device(&options.computing, Planning { options })
}

struct Planning<'a> {
    options: &'a Plan,
}

impl Task for Planning<'_> {
    type Done = Answer;

    fn on<B: Gram>(self, arrays: B) -> Result<Answer> {
        let Plan { network: of, x, z, computing } = self.options;
        let decoded = network(of)?;
        let x = Files::of(x).read::<B::Number>(&decoded)?;
        let columns = match z {
            Some(z) => Some(samples::<B>(of, z)?),
            None => None,
        };
        let rows = x.first().map_or(0, |array| array.samples());
        let built = build(of, decoded, &x)?;
        let session = Session::new(&built.model, arrays)?;
        let ntk = asked(session.ntk(), computing);
        let plan = match columns {
            Some(columns) => ntk.plan_between(rows, columns)?,
            None => ntk.plan(rows)?,
        };
        let json: Value = parsed(&plan.to_json())?;
        Ok(Answer { text: plan.to_string(), json, good: true })
    }
}

fn samples<B: Gram>(of: &Network, word: &str) -> Result<usize> {
    let arrays = Files::of(word).read::<B::Number>(&network(of)?)?;
    Ok(arrays.first().map_or(0, |array| array.samples()))
}

/// JSON that the library wrote.
pub fn parsed(text: &str) -> Result<Value> {
    serde_json::from_str(text).map_err(|error| Error::format(format!("the plan is no JSON: {error}")))
}
