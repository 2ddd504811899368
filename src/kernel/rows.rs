//! The paper's other methods: Jacobians multiplied out by reverse mode, batched or sample by sample, for all parameters
//! at once or layer by layer; and by forward mode.

use std::ops::Range;

use super::choice::Metric;
use super::contraction_plan::Pair;
use super::outputs::{Layout, Seeds};
use super::pack;
use crate::backend::{Arrays, Dual, DualTensor, Panels, RightPanel};
use crate::error::Result;
use crate::factor::Factor;
use crate::model::Session;
use crate::ops::Op;
use crate::real::Real;
use crate::samples::Samples;
use crate::shape::numel;
use crate::tape::{SweepTargets, Tape};

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

/// The Jacobian rows of the samples in `range` as panels, for the parameters that `wanted` flags.
pub(crate) fn panels<B: Arrays, O: Op>(
    session: &Session<'_, B, O>,
    rows: Rows,
    layout: &Layout,
    wanted: &[bool],
    metric: &[Metric],
    x: &dyn Samples<B::Number>,
    range: Range<usize>,
) -> Result<(Panels<B::Tensor>, Vec<Pair>)> {
    let samples = range.len();
    let arrays = session.arrays();
    let by_seed = match rows {
        Rows::Batched => swept(session, layout, wanted, x, range, Factor::jacobian)?,
        Rows::SampleBySample => sample_by_sample(session, layout, wanted, x, range)?,
        Rows::Forward => forward(session, layout, wanted, x, range)?,
    };
    let right = |(seeds, parameter): (Vec<B::Tensor>, usize)| {
        let stacked = pack::stacked(arrays, &seeds);
        let scaled = match metric[parameter].roots() {
            Some(roots) => pack::scaled(arrays, &stacked, &roots, &[1, 1, roots.len()]),
            None => stacked,
        };
        RightPanel::Array(pack::rows(arrays, layout, &scaled))
    };
    let rights = by_seed.into_iter().zip(chosen(wanted)).map(right);
    let panels = Panels { samples, lefts: Vec::new(), rights: rights.collect() };
    let pair = |(right, parameter): (usize, usize)| Pair::alone(parameter, None, right, metric[parameter].uniform());
    Ok((panels, chosen(wanted).enumerate().map(pair).collect()))
}

/// Rows \[n, p\] of every seed, for every chosen parameter.
type BySeed<B> = Vec<Vec<<B as Arrays>::Tensor>>;

/// One sweep for every seed, each use's factor read by `read` and the uses of a parameter added up.
fn swept<B: Arrays, O: Op>(
    session: &Session<'_, B, O>,
    layout: &Layout,
    wanted: &[bool],
    x: &dyn Samples<B::Number>,
    range: Range<usize>,
    read: fn(&Factor<B>, &B) -> B::Tensor,
) -> Result<BySeed<B>> {
    let (arrays, n) = (session.arrays(), range.len());
    let tape = session.tape_of(x, range)?;
    let uses = tape.uses()?;
    let mut by_parameter: BySeed<B> = vec![Vec::new(); wanted.iter().filter(|&&chosen| chosen).count()];
    for seed in layout.seeds.on(&tape) {
        let swept = tape.sweep(&seed, SweepTargets { inputs: false, parameters: Some(wanted) });
        let mut rows = tape.by_parameter(&uses, &swept, read);
        for (list, parameter) in by_parameter.iter_mut().zip(chosen(wanted)) {
            let size = numel(&session.model().parameters()[parameter].shape);
            list.push(rows[parameter].take().unwrap_or_else(|| arrays.full(0.0, &[n, size])));
        }
    }
    Ok(by_parameter)
}

/// Each sample on a tape of its own, where its row is the gradient.
fn sample_by_sample<B: Arrays, O: Op>(
    session: &Session<'_, B, O>,
    layout: &Layout,
    wanted: &[bool],
    x: &dyn Samples<B::Number>,
    range: Range<usize>,
) -> Result<BySeed<B>> {
    let alone = |sample| swept(session, layout, wanted, x, sample..sample + 1, Factor::gradient_row);
    let samples = range.map(alone).collect::<Result<Vec<_>>>()?;
    let joined = |k: usize, seed: usize| {
        let rows: Vec<&B::Tensor> = samples.iter().map(|by_parameter| &by_parameter[k][seed]).collect();
        session.arrays().concat(&rows, 0)
    };
    let parameters = 0..chosen(wanted).count();
    Ok(parameters.map(|k| (0..layout.seeds.len()).map(|seed| joined(k, seed)).collect()).collect())
}

/// The parameters that are flagged.
pub(crate) fn chosen(wanted: &[bool]) -> impl Iterator<Item = usize> {
    wanted.iter().enumerate().filter_map(|(parameter, &chosen)| chosen.then_some(parameter))
}

fn forward<B: Arrays, O: Op>(
    session: &Session<'_, B, O>,
    layout: &Layout,
    wanted: &[bool],
    x: &dyn Samples<B::Number>,
    range: Range<usize>,
) -> Result<BySeed<B>> {
    let (n, outputs) = (range.len(), session.model().outputs());
    let dual = Dual::new(session.arrays().clone());
    let inputs = session.upload(&dual, x, range)?;
    let mut by_parameter = Vec::new();
    for parameter in chosen(wanted) {
        let size = numel(&session.model().parameters()[parameter].shape);
        let mut rows = vec![vec![B::Number::default(); n * size]; layout.seeds.len()];
        for entry in 0..size {
            let column = column(session, &dual, parameter, entry, &inputs)?; // [n, C]
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
        by_parameter.push(rows.iter().map(|row| session.arrays().upload(row, &[n, size])).collect());
    }
    Ok(by_parameter)
}

/// The derivative of all outputs in one entry of one parameter: \[n, C\].
fn column<B: Arrays, O: Op>(
    session: &Session<'_, B, O>,
    dual: &Dual<B>,
    parameter: usize,
    entry: usize,
    inputs: &[DualTensor<B>],
) -> Result<Vec<B::Number>> {
    let (arrays, model) = (session.arrays(), session.model());
    let shape = arrays.shape(&session.parameters()[parameter]).to_vec();
    let mut direction = vec![B::Number::default(); numel(&shape)];
    direction[entry] = B::Number::from_f64(1.0);
    let direction = arrays.upload(&direction, &shape);
    let lifted = session.parameters().iter().enumerate();
    let lifted: Vec<_> = lifted.map(|(k, value)| dual.lift(value, (k == parameter).then_some(&direction))).collect();
    let buffers: Vec<_> = session.buffers().iter().map(|value| dual.lift(value, None)).collect();
    let weights = model.graph().materialise_weights(dual, &lifted, &buffers);
    let tape = Tape::run(model.graph(), model.output(), dual, &weights, inputs.to_vec());
    arrays.read(&dual.tangent(tape.output()))
}
