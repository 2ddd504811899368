//! The other methods of the paper: Jacobian rows by reverse mode, batched or sample by sample, for all parameters at
//! once or layer by layer; and by forward mode.

use std::ops::Range;

use super::contraction_plan::Pair;
use super::metric::Metric;
use super::outputs::{Layout, Seeds};
use super::pack;
use crate::backend::{Arrays, Dual, DualTensor, Panels, RightPanel, Storage};
use crate::error::Result;
use crate::factor::Factor;
use crate::model::Session;
use crate::ops::Op;
use crate::real::Real;
use crate::samples::Samples;
use crate::shape::numel;
use crate::tape::{SweepTargets, Tape};

/// The algorithm for rows of the Jacobian.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Rows {
    /// One sweep per block of samples. Its factors are materialised.
    Batched,
    /// One sweep per sample.
    SampleBySample,
    /// One run of forward mode per entry of every parameter.
    Forward,
}

/// The Jacobian rows of the samples in `range` as panels, for the selected parameters.
pub(crate) fn panels<B: Arrays, O: Op>(
    session: &Session<'_, B, O>,
    rows: Rows,
    layout: &Layout,
    selected: &[bool],
    metric: &[Metric],
    x: &dyn Samples<B::Number>,
    range: Range<usize>,
) -> Result<(Panels<B::Tensor>, Vec<Pair>)> {
    let samples = range.len();
    let arrays = session.arrays();
    let by_seed = match rows {
        Rows::Batched => swept(session, layout, selected, x, range, Factor::jacobian)?,
        Rows::SampleBySample => sample_by_sample(session, layout, selected, x, range)?,
        Rows::Forward => forward(session, layout, selected, x, range)?,
    };
    let mut rights = Vec::new();
    for (seeds, parameter) in by_seed.into_iter().zip(selected_indices(selected)) {
        let stacked = pack::stacked(arrays, &seeds);
        let scaled = match metric[parameter].roots() {
            Some(roots) => pack::scaled(arrays, &stacked, &roots, &[1, 1, roots.len()]),
            None => stacked,
        };
        rights.push(RightPanel::Array(pack::pack_rows(arrays, layout, &scaled)));
    }
    let panels = Panels { samples, lefts: Vec::new(), rights };
    let pair =
        |(right, parameter): (usize, usize)| Pair::with_itself(parameter, None, right, metric[parameter].uniform());
    Ok((panels, selected_indices(selected).enumerate().map(pair).collect()))
}

/// Rows `[n, p]` of every seed, for every selected parameter.
type BySeed<B> = Vec<Vec<<B as Storage>::Tensor>>;

/// Runs one sweep per seed. `read` reads the factor of each use, and the uses of a parameter are added.
fn swept<B: Arrays, O: Op>(
    session: &Session<'_, B, O>,
    layout: &Layout,
    selected: &[bool],
    x: &dyn Samples<B::Number>,
    range: Range<usize>,
    read: fn(&Factor<B>, &B) -> B::Tensor,
) -> Result<BySeed<B>> {
    let arrays = session.arrays();
    let n = range.len();
    let tape = session.tape_of(x, range)?;
    let uses = tape.uses()?;
    let mut by_parameter: BySeed<B> = vec![Vec::new(); selected.iter().filter(|&&is_selected| is_selected).count()];
    for seed in layout.seeds.on(&tape) {
        let swept = tape.sweep(&seed, SweepTargets { inputs: false, parameters: Some(selected) });
        let mut rows = tape.by_parameter(&uses, &swept, read);
        for (by_seed, parameter) in by_parameter.iter_mut().zip(selected_indices(selected)) {
            let size = numel(&session.model().parameters()[parameter].shape);
            by_seed.push(rows[parameter].take().unwrap_or_else(|| arrays.full(0.0, &[n, size])));
        }
    }
    Ok(by_parameter)
}

/// Runs every sample on a separate tape, where its row is the gradient.
fn sample_by_sample<B: Arrays, O: Op>(
    session: &Session<'_, B, O>,
    layout: &Layout,
    selected: &[bool],
    x: &dyn Samples<B::Number>,
    range: Range<usize>,
) -> Result<BySeed<B>> {
    let one_sample = |sample| swept(session, layout, selected, x, sample..sample + 1, Factor::gradient_row);
    let samples = range.map(one_sample).collect::<Result<Vec<_>>>()?;
    let joined = |k: usize, seed: usize| {
        let rows: Vec<&B::Tensor> = samples.iter().map(|by_parameter| &by_parameter[k][seed]).collect();
        session.arrays().concat(&rows, 0)
    };
    let parameters = 0..selected_indices(selected).count();
    Ok(parameters.map(|k| (0..layout.seeds.len()).map(|seed| joined(k, seed)).collect()).collect())
}

/// The indices of the selected parameters.
pub(crate) fn selected_indices(selected: &[bool]) -> impl Iterator<Item = usize> {
    selected.iter().enumerate().filter_map(|(parameter, &is_selected)| is_selected.then_some(parameter))
}

fn forward<B: Arrays, O: Op>(
    session: &Session<'_, B, O>,
    layout: &Layout,
    selected: &[bool],
    x: &dyn Samples<B::Number>,
    range: Range<usize>,
) -> Result<BySeed<B>> {
    let n = range.len();
    let outputs_per_sample = session.model().outputs();
    let dual = Dual::new(session.arrays().clone());
    let inputs = session.upload(&dual, x, range)?;
    let mut by_parameter = Vec::new();
    for parameter in selected_indices(selected) {
        let size = numel(&session.model().parameters()[parameter].shape);
        let mut rows = vec![vec![B::Number::default(); n * size]; layout.seeds.len()];
        for entry in 0..size {
            let column = column(session, &dual, parameter, entry, &inputs)?; // [n, C]
            for sample in 0..n {
                let derivatives = &column[sample * outputs_per_sample..][..outputs_per_sample];
                match &layout.seeds {
                    Seeds::Outputs(outputs) => {
                        outputs.iter().zip(&mut rows).for_each(|(&c, row)| row[sample * size + entry] = derivatives[c]);
                    }
                    Seeds::Ones => rows[0][sample * size + entry] = derivatives.iter().copied().sum(),
                }
            }
        }
        by_parameter.push(rows.iter().map(|row| session.arrays().upload(row, &[n, size])).collect());
    }
    Ok(by_parameter)
}

/// The derivative of all outputs in one entry of one parameter: `[n, C]`.
fn column<B: Arrays, O: Op>(
    session: &Session<'_, B, O>,
    dual: &Dual<B>,
    parameter: usize,
    entry: usize,
    inputs: &[DualTensor<B>],
) -> Result<Vec<B::Number>> {
    let arrays = session.arrays();
    let model = session.model();
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
