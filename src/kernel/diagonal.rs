//! The diagonal of K alone: squared norms of per-sample gradients.

use std::ops::Range;

use rayon::prelude::*;

use super::choice::Metric;
use super::outputs::Packing;
use super::plan::{Layer, Problem, plan};
use super::progress::Counter;
use super::rows::chosen;
use super::sink::Requirements;
use super::strategy::Strategy;
use super::structured::gradients;
use super::{Ntk, Outputs};
use crate::backend::Gram;
use crate::error::{Error, Result};
use crate::factor::{Factor, Sides};
use crate::ops::Op;
use crate::real::Real;
use crate::samples::Samples;
use crate::shape::blocks;
use crate::tape::{SweepTargets, Swept, Tape, Use};

/// The diagonal of a kernel: \[blocks, rows\] as the [`Matrix`](super::Matrix) of the same mode has it, for the total and
/// for every parameter.
#[derive(Clone, Debug, PartialEq)]
pub struct Diagonal<R> {
    total: Vec<R>,
    components: Vec<(String, Vec<R>)>,
}

impl<R: Real> Diagonal<R> {
    /// The diagonal of the NTK. For the full kernel entry n C + c is |grad f_c(x_n)|^2.
    pub fn total(&self) -> &[R] {
        &self.total
    }

    /// The part of every parameter under its name, in the order of the model.
    pub fn components(&self) -> &[(String, Vec<R>)] {
        &self.components
    }

    /// The part of parameter `name`.
    ///
    /// # Errors
    /// There is no such component.
    pub fn component(&self, name: &str) -> Result<&[R]> {
        let found = self.components.iter().find(|(own, _)| own == name);
        found.map(|(_, list)| list.as_slice()).ok_or_else(|| Error::name(format!("there is no component '{name}'")))
    }
}

pub(super) fn diagonal<B: Gram, O: Op>(ntk: &Ntk<'_, B, O>, x: &dyn Samples<B::Number>) -> Result<Diagonal<B::Number>> {
    match ntk.pool {
        Some(pool) => pool.install(|| in_pool(ntk, x)),
        None => in_pool(ntk, x),
    }
}

fn in_pool<B: Gram, O: Op>(ntk: &Ntk<'_, B, O>, x: &dyn Samples<B::Number>) -> Result<Diagonal<B::Number>> {
    let session = ntk.session;
    session.check(x)?;
    let wanted = ntk.wanted()?;
    let one = Ntk { budget: None, ..ntk.clone() };
    let plan = plan(&one, (x.samples(), None), Requirements::default())?;
    session.independence_check(x)?;
    let layout = ntk.outputs.layout(session.model().outputs())?;
    let norms = Norms { ntk, layers: &plan.layers, wanted: &wanted, by_rows: by_rows(ntk, &plan.layers)? };
    // A block here is only what one thread takes at a time.
    let ranges = blocks(x.samples(), plan.chunk.max(1));
    let counter = Counter::new(ranges.len(), ntk.progress);
    let block = |range: &Range<usize>| {
        let lists = norms.block(x, range.clone())?;
        counter.step()?;
        Ok(lists)
    };
    let parts = ranges.par_iter().map(block).collect::<Result<Vec<_>>>()?;

    let (n, seeds) = (x.samples(), layout.seeds.len());
    let scale = B::Number::from_f64(layout.scale);
    let mut components = Vec::new();
    for parameter in chosen(&wanted) {
        let layer = plan.layers.iter().position(|layer| layer.parameter == parameter);
        let norms: Vec<B::Number> = match layer {
            Some(layer) => parts.iter().flat_map(|lists| lists[layer].iter().copied()).collect(),
            None => vec![B::Number::default(); n * seeds],
        };
        let list: Vec<B::Number> = match layout.packing {
            Packing::Rows => norms,
            Packing::Features => norms.chunks_exact(seeds).map(|list| scale * list.iter().copied().sum()).collect(),
            Packing::Blocks => (0..seeds).flat_map(|c| norms.iter().skip(c).step_by(seeds).copied()).collect(),
        };
        components.push((session.model().parameters()[parameter].name.clone(), list));
    }
    let mut total = vec![B::Number::default(); layout.blocks * n * layout.outputs_per_sample];
    for (_, list) in &components {
        total.iter_mut().zip(list).for_each(|(sum, &x)| *sum += x);
    }
    if let Some(at) = total.iter().position(|x| !x.is_finite()) {
        return Err(Error::value(format!("the diagonal is not finite: entry {at} is {}", total[at])));
    }
    Ok(Diagonal { total, components })
}

/// Whether a layer's gradients are multiplied out: where that is cheaper for a sample alone, or the only way.
fn by_rows<B: Gram, O: Op>(ntk: &Ntk<'_, B, O>, layers: &[Layer]) -> Result<Vec<bool>> {
    let layout = Outputs::Output(0).layout(ntk.session.model().outputs())?;
    let rates = ntk.rates.unwrap_or_else(|| ntk.session.arrays().rates());
    let number = size_of::<B::Number>() as f64;
    let problem = Problem { layout: &layout, samples: 1.0, pairs: 1.0, number, rates };
    let by_rows = |layer: &Layer| {
        let metric = &ntk.metric[layer.parameter];
        let sides = layer.meetings.as_ref().is_some_and(|list| list.iter().all(|meeting| !meeting.crossed));
        let first = problem.candidates(layer, metric).into_iter().map(|(strategy, _)| strategy);
        let first = first
            .into_iter()
            .find(|strategy| matches!(strategy, Strategy::Hadamard | Strategy::PositionPairs | Strategy::Materialise));
        first == Some(Strategy::Materialise) || !sides || !matches!(metric, Metric::One | Metric::Uniform(_))
    };
    Ok(layers.iter().map(by_rows).collect())
}

struct Norms<'a, B: Gram, O: Op> {
    ntk: &'a Ntk<'a, B, O>,
    layers: &'a [Layer],
    wanted: &'a [bool],
    by_rows: Vec<bool>,
}

impl<B: Gram, O: Op> Norms<'_, B, O> {
    /// The squared norms \[n, s\] of every layer's gradients, for some samples.
    fn block(&self, x: &dyn Samples<B::Number>, range: Range<usize>) -> Result<Vec<Vec<B::Number>>> {
        let (arrays, n) = (self.ntk.session.arrays(), range.len());
        let tape = self.ntk.session.tape_of(x, range)?;
        let uses = tape.uses()?;
        let layout = self.ntk.outputs.layout(self.ntk.session.model().outputs())?;
        let wanted = SweepTargets { inputs: false, parameters: Some(self.wanted) };
        let mut by_layer: Vec<Vec<B::Tensor>> = vec![Vec::new(); self.layers.len()];
        for seed in layout.seeds.on(&tape) {
            let swept = tape.sweep(&seed, wanted);
            for (k, layer) in self.layers.iter().enumerate() {
                let norms = self.norms(&tape, &uses, &swept, layer, self.by_rows[k]);
                by_layer[k].push(arrays.reshape(&norms, &[n, 1]));
            }
        }
        let read = |list: &Vec<B::Tensor>| arrays.read(&arrays.concat(&list.iter().collect::<Vec<_>>(), 1));
        by_layer.iter().map(read).collect()
    }

    /// For one seed: \[n\].
    fn norms(
        &self,
        tape: &Tape<'_, B, O>,
        uses: &[Use<B>],
        swept: &Swept<B>,
        layer: &Layer,
        by_rows: bool,
    ) -> B::Tensor {
        let arrays = self.ntk.session.arrays();
        let metric = &self.ntk.metric[layer.parameter];
        let sum = if by_rows {
            let rows = gradients(tape, arrays, layer, uses, std::slice::from_ref(swept), metric);
            arrays.sum(&arrays.mul(&rows, &rows), &[1, 2])
        } else {
            let sides: Vec<Sides<B>> = layer
                .uses
                .iter()
                .map(|one_use| {
                    let right = swept.rights[one_use.index].as_ref().expect("the output depends on the use");
                    let factor = Factor::new(uses[one_use.index].left.clone(), right.clone());
                    factor.sides(arrays).expect("the uses have sides")
                })
                .collect();
            let meetings = layer.meetings.iter().flatten().map(|meeting| {
                let [one, two] = meeting.uses;
                let factor = layer.uses[one].factor * layer.uses[two].factor;
                arrays.affine(&sides[one].norms(arrays, &sides[two]), factor, 0.0)
            });
            meetings.reduce(|sum, part| arrays.add(&sum, &part)).expect("a use meets itself")
        };
        arrays.affine(&sum, metric.uniform(), 0.0)
    }
}
