//! From options to K: blocks of samples, their panels, the recipe, and the walk over tiles.

use std::ops::Range;

use rayon::prelude::*;

use super::manifest::Manifest;
use super::matrix::Kernel;
use super::method::Method;
use super::outputs::Layout;
use super::plan::{Plan, plan};
use super::progress::Counter;
use super::recipe::{Pair, recipe};
use super::rows::{self, Rows};
use super::structured::{self, Making};
use super::tiles::{Side, Walk, Walked};
use super::{Ntk, mlp, panels};
use crate::backend::{Gram, Panels};
use crate::error::Result;
use crate::model::blocks;
use crate::ops::Op;
use crate::samples::Samples;

/// A tile has at most this many rows: a multiple of the 96 (f32) and 48 (f64) rows of faer's AVX-512 product kernel, so
/// that nothing is left over. Measured beside 128, 256, 384 and 512 with `benches/gram.rs`: the fastest by 2 to 10 %.
const TILE_SIDE: usize = 192;
/// The rows of that product kernel in f32, and the half of them that it also has in f64.
const KERNEL_ROWS: usize = 96;
const KERNEL_PART: usize = 48;
/// A kernel is cut into at least so many blocks, so that small ones keep all threads busy too.
const MIN_BLOCKS: usize = 8;
/// But a tile has at least so many rows, if there are.
const MIN_SIDE: usize = 16;
/// The tiles that a worker holds side by side, one for each component and each output that has a matrix of its own, have
/// together about so many entries at most: 32 MiB in f64.
const WORKER_ENTRIES: usize = 1 << 22;

/// Samples, cut into blocks.
struct Blocked<'a, R: crate::Real> {
    samples: &'a dyn Samples<R>,
    blocks: Vec<Range<usize>>,
}

/// Where panels come from.
enum Source {
    Factors,
    Recursion(mlp::Plain),
    /// Jacobian rows of the parameters that are flagged.
    Rows {
        rows: Rows,
        wanted: Vec<bool>,
    },
}

pub(super) fn run<B: Gram, O: Op>(
    ntk: &Ntk<'_, B, O>,
    x: &dyn Samples<B::Number>,
    z: Option<&dyn Samples<B::Number>>,
) -> Result<Kernel<B::Number>> {
    match ntk.pool {
        Some(pool) => pool.install(|| in_pool(ntk, x, z)),
        None => in_pool(ntk, x, z),
    }
}

fn in_pool<B: Gram, O: Op>(
    ntk: &Ntk<'_, B, O>,
    x: &dyn Samples<B::Number>,
    z: Option<&dyn Samples<B::Number>>,
) -> Result<Kernel<B::Number>> {
    let model = ntk.session.model();
    let layout = ntk.outputs.layout(model.outputs())?;
    ntk.session.check(x)?;
    z.map_or(Ok(()), |z| ntk.session.check(z))?;
    let wanted = ntk.wanted()?;
    let passes = passes(ntk, &wanted)?;
    let plan = plan(ntk, x.samples(), z.map(|z| z.samples()))?;
    ntk.session.probe(x)?;
    z.map_or(Ok(()), |z| ntk.session.probe(z))?;
    let matrices = layout.blocks.saturating_mul(if ntk.components { chosen_count(&wanted) } else { 1 });
    let blocked = |samples: &'_ dyn Samples<B::Number>| sample_blocks(samples.samples(), layout.inner, matrices);
    let x = Blocked { samples: x, blocks: blocked(x) };
    let z = z.map(|z| Blocked { samples: z, blocks: blocked(z) });
    let columns = z.as_ref().map(|z| z.blocks.len());
    let steps = x.blocks.len() + columns.unwrap_or(0) + Walk::<B>::tile_count(x.blocks.len(), columns);
    let counter = Counter::new(passes.len() * steps, ntk.progress);

    let mut result: Option<Walked<B::Number>> = None;
    for source in &passes {
        let pass = Pass { ntk, source, layout: &layout, plan: &plan, wanted: &wanted, counter: &counter };
        let walked = pass.run(&x, z.as_ref())?;
        match &mut result {
            None => result = Some(walked),
            Some(sum) => {
                sum.total.add(&walked.total);
                sum.slots.extend(walked.slots);
            }
        }
    }
    let Walked { total, slots } = result.expect("there is at least one pass");
    let names = rows::chosen(&wanted).map(|parameter| model.parameters()[parameter].name.clone());
    let kernel = Kernel { total, components: names.zip(slots).collect(), manifest: Some(Manifest::of(ntk, plan)) };
    kernel.check_finite(columns.is_some())?;
    Ok(kernel)
}

fn chosen_count(wanted: &[bool]) -> usize {
    wanted.iter().filter(|&&chosen| chosen).count().max(1)
}

/// What each walk over the tiles is for: one for everything, or one for each parameter.
fn passes<B: Gram, O: Op>(ntk: &Ntk<'_, B, O>, wanted: &[bool]) -> Result<Vec<Source>> {
    let together = |rows| vec![Source::Rows { rows, wanted: wanted.to_vec() }];
    let one_by_one = |rows| {
        let only = |k| (0..wanted.len()).map(|own| own == k).collect();
        let passes: Vec<Source> = rows::chosen(wanted).map(|k| Source::Rows { rows, wanted: only(k) }).collect();
        if passes.is_empty() { together(rows) } else { passes }
    };
    Ok(match ntk.method {
        Method::Structured => vec![Source::Factors],
        Method::ClosedForm => {
            ntk.refuse_metric_per_entry()?;
            vec![Source::Recursion(mlp::plain(ntk.session)?)]
        }
        Method::FullJacobian => together(Rows::Batched),
        Method::Autograd => together(Rows::SampleBySample),
        Method::Layerwise => one_by_one(Rows::SampleBySample),
        Method::LayerwiseBatched => one_by_one(Rows::Batched),
        Method::ForwardMode => together(Rows::Forward),
    })
}

/// `samples` in blocks, each of which has `inner` rows in K for a sample, where `matrices` tiles are computed side by
/// side. A pure function of these, so that nothing depends on the number of threads.
pub(super) fn sample_blocks(samples: usize, inner: usize, matrices: usize) -> Vec<Range<usize>> {
    let rows = samples.saturating_mul(inner);
    let fits = (WORKER_ENTRIES / matrices.max(1)).isqrt().clamp(MIN_SIDE, TILE_SIDE);
    let side = rows.div_ceil(MIN_BLOCKS).clamp(MIN_SIDE, fits);
    // Beyond its kernel's rows a product has whole parts of them, or an odd rest that is slow.
    let side = if side > KERNEL_ROWS { side / KERNEL_PART * KERNEL_PART } else { side };
    blocks(samples, side.div_ceil(inner.max(1)))
}

/// One walk over all tiles.
struct Pass<'a, B: Gram, O: Op> {
    ntk: &'a Ntk<'a, B, O>,
    source: &'a Source,
    layout: &'a Layout,
    plan: &'a Plan,
    wanted: &'a [bool],
    counter: &'a Counter<'a>,
}

/// The panels of all blocks, and what they are for, which is the same for every block.
struct Prepared<T> {
    panels: Vec<Panels<T>>,
    pairs: Vec<Pair>,
}

impl<B: Gram, O: Op> Pass<'_, B, O> {
    fn run(&self, x: &Blocked<'_, B::Number>, z: Option<&Blocked<'_, B::Number>>) -> Result<Walked<B::Number>> {
        let rows = self.prepare(x)?;
        let cols = z.map(|z| self.prepare(z)).transpose()?;
        let flags = match self.source {
            Source::Rows { wanted, .. } => wanted,
            _ => self.wanted,
        };
        let list: Vec<usize> = rows::chosen(flags).collect();
        let components = self.ntk.components;
        let own_slot = |parameter: usize| list.iter().position(|&chosen| chosen == parameter).unwrap_or(0);
        let slot = |parameter: usize| if components { own_slot(parameter) } else { 0 };
        let slots = if components { list.len().max(1) } else { 1 };
        // The recursion knows all parameters; those that are not wanted are left out here.
        let pairs: Vec<Pair> = rows.pairs.iter().filter(|pair| flags[pair.parameter]).copied().collect();
        let recipe = recipe(&pairs, self.layout, &slot, slots);
        Walk {
            arrays: self.ntk.session.arrays(),
            recipe: &recipe,
            rows: Side { blocks: &x.blocks, panels: &rows.panels },
            cols: z.zip(cols.as_ref()).map(|(z, cols)| Side { blocks: &z.blocks, panels: &cols.panels }),
            scale: self.layout.scale,
            components,
        }
        .run(self.counter)
    }

    /// The panels of all blocks, threads over blocks and over the parts of a block that are run at a time.
    fn prepare(&self, samples: &Blocked<'_, B::Number>) -> Result<Prepared<B::Tensor>> {
        let arrays = self.ntk.session.arrays();
        let block = |range: &Range<usize>| {
            let starts = (range.start..range.end).step_by(self.plan.chunk).collect::<Vec<_>>();
            let part = |start: &usize| self.panels(samples.samples, *start..range.end.min(*start + self.plan.chunk));
            let parts = starts.par_iter().map(part).collect::<Result<Vec<_>>>()?;
            let pairs = parts[0].1.clone();
            let mut whole = panels::concatenated(arrays, parts.into_iter().map(|(panels, _)| panels).collect());
            panels::joined(arrays, &mut whole, &pairs)?;
            self.counter.step()?;
            Ok((whole, pairs))
        };
        let list = samples.blocks.par_iter().map(block).collect::<Result<Vec<_>>>()?;
        let pairs = list.first().map(|(_, pairs)| pairs.clone()).unwrap_or_default();
        Ok(Prepared { panels: list.into_iter().map(|(panels, _)| panels).collect(), pairs })
    }

    fn panels(&self, x: &dyn Samples<B::Number>, range: Range<usize>) -> Result<(Panels<B::Tensor>, Vec<Pair>)> {
        let (session, metric) = (self.ntk.session, &self.ntk.metric[..]);
        match self.source {
            Source::Factors => {
                let samples = range.len();
                let tape = session.tape_of(x, range)?;
                let making = Making { layout: self.layout, plan: self.plan, wanted: self.wanted, metric };
                structured::panels(&tape, session.arrays(), samples, &making)
            }
            Source::Recursion(network) => {
                let inputs = session.upload(session.arrays(), x, range)?;
                Ok(mlp::panels(session.arrays(), session.parameters(), network, self.layout, metric, &inputs[0]))
            }
            Source::Rows { rows, wanted } => rows::panels(session, *rows, self.layout, wanted, metric, x, range),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::sample_blocks;

    #[test]
    fn blocks_cover_the_samples_and_tiles_stay_small() {
        for (samples, inner, matrices) in
            [(0, 1, 1), (1, 1, 1), (10, 3, 1), (1000, 1, 5), (1000, 10, 60), (5000, 1, 60_000), (3, 1000, 2)]
        {
            let blocks = sample_blocks(samples, inner, matrices);
            assert_eq!(blocks.iter().map(|range| range.len()).sum::<usize>(), samples);
            assert!(blocks.windows(2).all(|pair| pair[0].end == pair[1].start));
            let side = blocks.iter().map(|range| range.len() * inner).max().unwrap_or(0);
            assert!(side <= 192 + inner, "{side}");
            assert!(side <= 16 + inner || side * side * matrices <= 1 << 22, "{side} rows, {matrices} matrices");
            assert!(samples * inner < 128 || inner > 16 || blocks.len() >= 8, "{} blocks", blocks.len());
        }
    }
}
