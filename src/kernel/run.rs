//! From options to K: blocks of samples, their panels, the recipe, and the walk over tiles.

use std::ops::Range;

use rayon::prelude::*;

use super::matrix::Kernel;
use super::method::Method;
use super::outputs::Layout;
use super::progress::Counter;
use super::recipe::{Entry, recipe};
use super::rows::{self, Rows};
use super::tiles::{Side, Walk, Walked};
use super::{Ntk, mlp, structured};
use crate::backend::{Gram, Panels};
use crate::batch::Batch;
use crate::error::Result;
use crate::model::blocks;
use crate::ops::Op;
use crate::tape::ParameterInfo;

/// A tile has at most this many rows: a multiple of the 96 (f32) and 48 (f64) rows of faer's AVX-512 product kernel, so
/// that nothing is left over. Measured beside 128, 256, 384 and 512 with `benches/gram.rs`: the fastest by 2 to 10 %.
const TILE_SIDE: usize = 192;
/// A kernel is cut into at least so many blocks, so that small ones keep all threads busy too.
const MIN_BLOCKS: usize = 8;
/// But a tile has at least so many rows, if there are.
const MIN_SIDE: usize = 16;
/// The tiles that a worker holds side by side, one for each component and each output that has a matrix of its own, have
/// together about so many entries at most: 32 MiB in f64.
const WORKER_ENTRIES: usize = 1 << 22;

/// Samples, cut into blocks.
struct Blocked<'a, 'x, R> {
    batch: &'a Batch<'x, R>,
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
    x: &Batch<'_, B::Number>,
    z: Option<&Batch<'_, B::Number>>,
) -> Result<Kernel<B::Number>> {
    let model = ntk.session.model();
    let layout = ntk.outputs.layout(model.outputs())?;
    ntk.session.check(x)?;
    z.map_or(Ok(()), |z| ntk.session.check(z))?;
    let passes = passes(ntk)?;
    let components = if ntk.components { model.parameters().len() } else { 1 };
    let matrices = layout.blocks.saturating_mul(components);
    let blocked = |batch: &Batch<'_, B::Number>| sample_blocks(batch.samples(), layout.inner, matrices);
    let x = Blocked { batch: x, blocks: blocked(x) };
    let z = z.map(|z| Blocked { batch: z, blocks: blocked(z) });
    let columns = z.as_ref().map(|z| z.blocks.len());
    let steps = x.blocks.len() + columns.unwrap_or(0) + Walk::<B>::tile_count(x.blocks.len(), columns);
    let counter = Counter::new(passes.len() * steps, ntk.progress);

    let mut result: Option<Walked<B::Number>> = None;
    for source in &passes {
        let pass = Pass { ntk, source, layout: &layout, counter: &counter };
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
    let names = model.parameters().iter().map(|info| info.name.clone());
    Ok(Kernel { total, components: names.zip(slots).collect() })
}

/// What each walk over the tiles is for: one for everything, or one for each parameter.
fn passes<B: Gram, O: Op>(ntk: &Ntk<'_, B, O>) -> Result<Vec<Source>> {
    let infos: &[ParameterInfo] = ntk.session.model().parameters();
    let together = |rows| vec![Source::Rows { rows, wanted: vec![true; infos.len()] }];
    let one_by_one = |rows| {
        let only = |k| (0..infos.len()).map(|own| own == k).collect();
        let passes = (0..infos.len()).map(|k| Source::Rows { rows, wanted: only(k) });
        if infos.is_empty() { together(rows) } else { passes.collect() }
    };
    Ok(match ntk.method {
        Method::Structured => vec![Source::Factors],
        Method::ClosedForm => vec![Source::Recursion(mlp::plain(ntk.session)?)],
        Method::FullJacobian => together(Rows::Batched),
        Method::Autograd => together(Rows::SampleBySample),
        Method::Layerwise => one_by_one(Rows::SampleBySample),
        Method::LayerwiseBatched => one_by_one(Rows::Batched),
        Method::ForwardMode => together(Rows::Forward),
    })
}

/// `samples` in blocks, each of which has `inner` rows in K for a sample, where `matrices` tiles are computed side by
/// side. A pure function of these, so that nothing depends on the number of threads.
fn sample_blocks(samples: usize, inner: usize, matrices: usize) -> Vec<Range<usize>> {
    let rows = samples.saturating_mul(inner);
    let fits = (WORKER_ENTRIES / matrices.max(1)).isqrt().clamp(MIN_SIDE, TILE_SIDE);
    let side = rows.div_ceil(MIN_BLOCKS).clamp(MIN_SIDE, fits);
    blocks(samples, side.div_ceil(inner.max(1)))
}

/// One walk over all tiles.
struct Pass<'a, B: Gram, O: Op> {
    ntk: &'a Ntk<'a, B, O>,
    source: &'a Source,
    layout: &'a Layout,
    counter: &'a Counter<'a>,
}

/// The panels of all blocks, and what they are for, which is the same for every block.
struct Prepared<T> {
    panels: Vec<Panels<T>>,
    entries: Vec<Entry>,
}

impl<B: Gram, O: Op> Pass<'_, B, O> {
    fn run(&self, x: &Blocked<'_, '_, B::Number>, z: Option<&Blocked<'_, '_, B::Number>>) -> Result<Walked<B::Number>> {
        let rows = self.prepare(x)?;
        let cols = z.map(|z| self.prepare(z)).transpose()?;
        let wanted: Vec<usize> = match self.source {
            Source::Rows { wanted, .. } => rows::chosen(wanted).collect(),
            _ => (0..self.ntk.session.model().parameters().len()).collect(),
        };
        let components = self.ntk.components;
        let own_slot = |parameter: usize| wanted.iter().position(|&chosen| chosen == parameter).unwrap_or(0);
        let slot = |parameter: usize| if components { own_slot(parameter) } else { 0 };
        let slots = if components { wanted.len().max(1) } else { 1 };
        let recipe = recipe(&rows.entries, self.layout, &slot, slots);
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

    /// The panels of all blocks, threads over blocks.
    fn prepare(&self, samples: &Blocked<'_, '_, B::Number>) -> Result<Prepared<B::Tensor>> {
        let block = |range: &Range<usize>| {
            let panels = self.panels(&samples.batch.rows(range.clone()))?;
            self.counter.step()?;
            Ok(panels)
        };
        let list = samples.blocks.par_iter().map(block).collect::<Result<Vec<_>>>()?;
        let entries = list.first().map(|(_, entries)| entries.clone()).unwrap_or_default();
        Ok(Prepared { panels: list.into_iter().map(|(panels, _)| panels).collect(), entries })
    }

    fn panels(&self, x: &Batch<'_, B::Number>) -> Result<(Panels<B::Tensor>, Vec<Entry>)> {
        let session = self.ntk.session;
        match self.source {
            Source::Factors => structured::panels(session, self.layout, x),
            Source::Recursion(network) => {
                Ok(mlp::panels(session.arrays(), session.parameters(), network, self.layout, x))
            }
            Source::Rows { rows, wanted } => rows::panels(session, *rows, self.layout, wanted, x),
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
