//! The paper's other methods: Jacobians multiplied out by reverse mode, batched or sample by sample, for all parameters
//! at once or layer by layer; and by forward mode.

use super::outputs::{Layout, Seeds};
use super::pack;
use super::recipe::Entry;
use crate::backend::{Arrays, Dual, Panels, RightPanel};
use crate::batch::Batch;
use crate::error::Result;
use crate::model::Session;
use crate::ops::Op;
use crate::real::Real;
use crate::shape::numel;
use crate::tape::{Tape, Wanted};

/// How rows of the Jacobian are computed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Rows {
    /// One sweep for a block of samples, its factors multiplied out.
    Batched,
    /// One sweep for a sample alone, its gradient read.
    SampleBySample,
    /// One run of forward mode for every entry of every parameter.
    Forward,
}

/// The Jacobian rows of the samples `x` as panels, for the parameters that `wanted` flags.
pub(crate) fn panels<B: Arrays, O: Op>(
    session: &Session<'_, B, O>,
    rows: Rows,
    layout: &Layout,
    wanted: &[bool],
    x: &Batch<'_, B::Number>,
) -> Result<(Panels<B::Tensor>, Vec<Entry>)> {
    let chosen: Vec<usize> = (0..wanted.len()).filter(|&parameter| wanted[parameter]).collect();
    let by_seed = match rows {
        Rows::Batched => batched(session, layout, wanted, &chosen, x)?,
        Rows::SampleBySample => sample_by_sample(session, layout, wanted, &chosen, x)?,
        Rows::Forward => forward(session, layout, &chosen, x)?,
    };
    let rights = by_seed.into_iter().map(|seeds| RightPanel::Array(pack::rights(session.arrays(), layout, &seeds)));
    let panels = Panels { samples: x.samples(), lefts: Vec::new(), rights: rights.collect() };
    let entry = |(right, &parameter)| Entry { parameter, left: None, right };
    Ok((panels, chosen.iter().enumerate().map(entry).collect()))
}

/// b\[n,1,p\] of every seed, for every chosen parameter.
type BySeed<B> = Vec<Vec<<B as Arrays>::Tensor>>;

fn seeds<B: Arrays, O: Op>(tape: &Tape<'_, B, O>, layout: &Layout) -> Vec<B::Tensor> {
    match &layout.seeds {
        Seeds::Units(list) => list.iter().map(|&c| tape.unit_seed(c)).collect(),
        Seeds::Ones => vec![tape.ones_seed()],
    }
}

fn batched<B: Arrays, O: Op>(
    session: &Session<'_, B, O>,
    layout: &Layout,
    wanted: &[bool],
    chosen: &[usize],
    x: &Batch<'_, B::Number>,
) -> Result<BySeed<B>> {
    let arrays = session.arrays();
    let tape = session.tape_of(x);
    let uses = tape.uses()?;
    let mut by_parameter: BySeed<B> = vec![Vec::new(); chosen.len()];
    for seed in seeds(&tape, layout) {
        let swept = tape.sweep(&seed, Wanted { input: false, parameters: Some(wanted) });
        for (list, &parameter) in by_parameter.iter_mut().zip(chosen) {
            let size = numel(&session.model().parameters()[parameter].shape);
            let parts = tape.factors(&uses, &swept, parameter).into_iter().map(|factor| factor.jacobian(arrays));
            let rows = parts.reduce(|sum, part| arrays.add(&sum, &part));
            let rows = rows.unwrap_or_else(|| arrays.full(0.0, &[x.samples(), size]));
            list.push(arrays.reshape(&rows, &[x.samples(), 1, size]));
        }
    }
    Ok(by_parameter)
}

fn sample_by_sample<B: Arrays, O: Op>(
    session: &Session<'_, B, O>,
    layout: &Layout,
    wanted: &[bool],
    chosen: &[usize],
    x: &Batch<'_, B::Number>,
) -> Result<BySeed<B>> {
    let arrays = session.arrays();
    let mut by_parameter: Vec<Vec<Vec<B::Tensor>>> = vec![vec![Vec::new(); layout.seeds.len()]; chosen.len()];
    for sample in 0..x.samples() {
        let tape = session.tape_of(&x.rows(sample..sample + 1));
        let uses = tape.uses()?;
        for (k, seed) in seeds(&tape, layout).iter().enumerate() {
            let swept = tape.sweep(seed, Wanted { input: false, parameters: Some(wanted) });
            for (list, &parameter) in by_parameter.iter_mut().zip(chosen) {
                let size = numel(&session.model().parameters()[parameter].shape);
                let parts = tape.factors(&uses, &swept, parameter).into_iter().map(|factor| factor.gradient(arrays));
                let gradient = parts.reduce(|sum, part| arrays.add(&sum, &part));
                let gradient = gradient.unwrap_or_else(|| arrays.full(0.0, &[size]));
                list[k].push(arrays.reshape(&gradient, &[1, 1, size]));
            }
        }
    }
    let joined = |samples: Vec<B::Tensor>| arrays.concat(&samples.iter().collect::<Vec<_>>(), 0);
    Ok(by_parameter.into_iter().map(|seeds| seeds.into_iter().map(joined).collect()).collect())
}

fn forward<B: Arrays, O: Op>(
    session: &Session<'_, B, O>,
    layout: &Layout,
    chosen: &[usize],
    x: &Batch<'_, B::Number>,
) -> Result<BySeed<B>> {
    let (n, outputs) = (x.samples(), session.model().outputs());
    let dual = Dual::new(session.arrays().clone());
    let mut by_parameter = Vec::new();
    for &parameter in chosen {
        let size = numel(&session.model().parameters()[parameter].shape);
        let mut rows = vec![vec![B::Number::default(); n * size]; layout.seeds.len()];
        for entry in 0..size {
            let column = column(session, &dual, parameter, entry, x)?; // [n, C]
            for sample in 0..n {
                let derivatives = &column[sample * outputs..][..outputs];
                match &layout.seeds {
                    Seeds::Units(list) => {
                        list.iter().zip(&mut rows).for_each(|(&c, row)| row[sample * size + entry] = derivatives[c]);
                    }
                    Seeds::Ones => rows[0][sample * size + entry] = derivatives.iter().copied().sum(),
                }
            }
        }
        by_parameter.push(rows.iter().map(|row| session.arrays().upload(row, &[n, 1, size])).collect());
    }
    Ok(by_parameter)
}

/// The derivative of all outputs in one entry of one parameter: \[n, C\].
fn column<B: Arrays, O: Op>(
    session: &Session<'_, B, O>,
    dual: &Dual<B>,
    parameter: usize,
    entry: usize,
    x: &Batch<'_, B::Number>,
) -> Result<Vec<B::Number>> {
    let arrays = session.arrays();
    let shape = arrays.shape(&session.parameters()[parameter]).to_vec();
    let mut direction = vec![B::Number::default(); numel(&shape)];
    direction[entry] = B::Number::of(1.0);
    let direction = arrays.upload(&direction, &shape);
    let lifted = session.parameters().iter().enumerate();
    let lifted: Vec<_> = lifted.map(|(k, value)| dual.lift(value, (k == parameter).then_some(&direction))).collect();
    let input = dual.upload(x.as_slice(), x.shape());
    let tape = Tape::run(session.model().graph(), session.model().output(), dual, &lifted, input);
    arrays.read(&dual.tangent(tape.output()))
}
