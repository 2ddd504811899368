//! The diagonal of K alone: squared norms of per-sample gradients.

use std::ops::Range;

use rayon::prelude::*;

use super::metric::Metric;
use super::outputs::Packing;
use super::plan::{Layer, LayerUse, Problem, plan};
use super::progress::Counter;
use super::rows::selected_indices;
use super::sink::Requirements;
use super::strategy::Strategy;
use super::structured::gradients;
use super::{Ntk, Outputs};
use crate::backend::{Arrays, Gram};
use crate::error::{Error, Result};
use crate::factor::{Factor, Operands};
use crate::ops::Op;
use crate::real::Real;
use crate::samples::Samples;
use crate::shape::blocks;
use crate::tape::{SweepTargets, Swept, Tape, Use};

/// The diagonal of a kernel, `[blocks, rows]`: the total and one component per parameter. The order is that of a
/// [`Matrix`](super::Matrix) in the same output mode.
#[derive(Clone, Debug, PartialEq)]
pub struct Diagonal<R> {
    total: Vec<R>,
    components: Vec<(String, Vec<R>)>,
}

impl<R: Real> Diagonal<R> {
    /// The diagonal of the NTK. Entry n C + c of the full kernel is |grad f_c(x_n)|^2.
    pub fn total(&self) -> &[R] {
        &self.total
    }

    /// The component of every parameter with its name, in the order of the model.
    pub fn components(&self) -> &[(String, Vec<R>)] {
        &self.components
    }

    /// The component of parameter `name`.
    ///
    /// # Errors
    /// Returns an error if no component has this name.
    pub fn component(&self, name: &str) -> Result<&[R]> {
        let found = self.components.iter().find(|(component, _)| component == name);
        found.map(|(_, entries)| entries.as_slice()).ok_or_else(|| {
            let names: Vec<&str> = self.components.iter().map(|(name, _)| name.as_str()).collect();
            Error::name(format!("the diagonal has no component '{name}'; its components are [{}]", names.join(", ")))
        })
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
    let selected = ntk.selected_parameters()?;
    let unbounded = Ntk { budget: None, ..ntk.clone() };
    let plan = plan(&unbounded, (x.samples(), None), Requirements::default())?;
    session.independence_check(x)?;
    let layout = ntk.outputs.layout(session.model().outputs())?;
    let norms = Norms { ntk, layers: &plan.layers, selected: &selected, by_rows: by_rows(ntk, &plan.layers)? };
    // One thread processes one of these blocks at a time.
    let ranges = blocks(x.samples(), plan.chunk.max(1));
    let counter = Counter::new(ranges.len(), ntk.progress);
    let block = |range: &Range<usize>| {
        let lists = norms.block(x, range.clone())?;
        counter.step()?;
        Ok(lists)
    };
    let parts = ranges.par_iter().map(block).collect::<Result<Vec<_>>>()?;

    let n = x.samples();
    let seeds = layout.seeds.len();
    let scale = B::Number::from_f64(layout.scale);
    let mut components = Vec::new();
    for parameter in selected_indices(&selected) {
        let layer = plan.layers.iter().position(|layer| layer.parameter == parameter);
        let norms: Vec<B::Number> = match layer {
            Some(layer) => parts.iter().flat_map(|lists| lists[layer].iter().copied()).collect(),
            None => vec![B::Number::default(); n * seeds],
        };
        let entries: Vec<B::Number> = match layout.packing {
            Packing::Rows => norms,
            Packing::Features => {
                norms.chunks_exact(seeds).map(|by_seed| scale * by_seed.iter().copied().sum()).collect()
            }
            Packing::Blocks => (0..seeds).flat_map(|c| norms.iter().skip(c).step_by(seeds).copied()).collect(),
        };
        components.push((session.model().parameters()[parameter].name.clone(), entries));
    }
    let mut total = vec![B::Number::default(); layout.blocks * n * layout.outputs_per_sample];
    for (_, entries) in &components {
        total.iter_mut().zip(entries).for_each(|(sum, &x)| *sum += x);
    }
    if let Some(row) = total.iter().position(|x| !x.is_finite()) {
        return Err(Error::value(format!("the diagonal is not finite: entry {row} is {}", total[row])));
    }
    Ok(Diagonal { total, components })
}

/// Flags the layers whose gradients are materialised: if that is cheaper for one sample, or the only strategy.
fn by_rows<B: Gram, O: Op>(ntk: &Ntk<'_, B, O>, layers: &[Layer]) -> Result<Vec<bool>> {
    let layout = Outputs::Output(0).layout(ntk.session.model().outputs())?;
    let rates = ntk.rates.unwrap_or_else(|| ntk.session.arrays().rates());
    let number = size_of::<B::Number>() as f64;
    let problem = Problem { layout: &layout, samples: 1.0, pairs: 1.0, number, rates };
    Ok(layers.iter().map(|layer| needs_rows(&problem, layer, &ntk.metric[layer.parameter])).collect())
}

fn needs_rows(problem: &Problem<'_>, layer: &Layer, metric: &Metric) -> bool {
    let has_operands = layer.use_pairs.as_ref().is_some_and(|pairs| pairs.iter().all(|pair| !pair.transposed));
    if !has_operands || !matches!(metric, Metric::One | Metric::Uniform(_)) {
        return true;
    }
    let is_norm =
        |strategy: &Strategy| matches!(strategy, Strategy::Hadamard | Strategy::PositionPairs | Strategy::Materialise);
    let cheapest = problem.candidates(layer, metric).into_iter().map(|(strategy, _)| strategy).find(is_norm);
    cheapest == Some(Strategy::Materialise)
}

struct Norms<'a, B: Gram, O: Op> {
    ntk: &'a Ntk<'a, B, O>,
    layers: &'a [Layer],
    selected: &'a [bool],
    by_rows: Vec<bool>,
}

impl<B: Gram, O: Op> Norms<'_, B, O> {
    /// The squared norms `[n, s]` of every layer's gradients, for the samples in `range`.
    fn block(&self, x: &dyn Samples<B::Number>, range: Range<usize>) -> Result<Vec<Vec<B::Number>>> {
        let arrays = self.ntk.session.arrays();
        let n = range.len();
        let tape = self.ntk.session.tape_of(x, range)?;
        let uses = tape.uses()?;
        let layout = self.ntk.outputs.layout(self.ntk.session.model().outputs())?;
        let targets = SweepTargets { inputs: false, parameters: Some(self.selected) };
        let mut by_layer: Vec<Vec<B::Tensor>> = vec![Vec::new(); self.layers.len()];
        for seed in layout.seeds.on(&tape) {
            let swept = tape.sweep(&seed, targets);
            for (k, layer) in self.layers.iter().enumerate() {
                let norms = self.norms(&tape, &uses, &swept, layer, self.by_rows[k]);
                by_layer[k].push(arrays.reshape(&norms, &[n, 1]));
            }
        }
        let read = |norms: &Vec<B::Tensor>| arrays.read(&arrays.concat(&norms.iter().collect::<Vec<_>>(), 1));
        by_layer.iter().map(read).collect()
    }

    /// The squared norms `[n]` of one layer's gradients for one seed.
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
            norms_by_operands(arrays, layer, uses, swept)
        };
        arrays.affine(&sum, metric.uniform(), 0.0)
    }
}

/// The squared norms `[n]` of one layer's gradients, from the operands of its uses.
fn norms_by_operands<B: Arrays>(arrays: &B, layer: &Layer, uses: &[Use<B>], swept: &Swept<B>) -> B::Tensor {
    let operands = |layer_use: &LayerUse| {
        let right = swept.rights[layer_use.index].as_ref().expect("the output depends on the use");
        let factor = Factor::new(uses[layer_use.index].left.clone(), right.clone());
        factor.operands(arrays).expect("the plan found operands")
    };
    let operands: Vec<Operands<B>> = layer.uses.iter().map(operands).collect();
    let norms = layer.use_pairs.iter().flatten().map(|pair| {
        let [first, second] = pair.uses;
        let factor = layer.uses[first].factor * layer.uses[second].factor;
        arrays.affine(&operands[first].norms(arrays, &operands[second]), factor, 0.0)
    });
    norms.reduce(|sum, pair| arrays.add(&sum, &pair)).expect("every use is paired with itself")
}
