//! Sums of components by layer, row by row. Grams that are constant during training are multiplied in.

use std::sync::OnceLock;

use crate::backend::{Cpu, Gram, Reductions, Storage};
use crate::error::Result;
use crate::kernel::sink::{Frame, Region, RegionData};
use crate::kernel::{Constant, Ntk, input_operand};
use crate::model::Session;
use crate::ops::Op;
use crate::real::Real;
use crate::samples::Samples;
use crate::tape::layer_name;

/// The layers of a kernel, with the components that each is the sum of. A layer is the part of the parameters' names before
/// the last dot.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Layers {
    /// The names in order, and `"total"` last.
    pub names: Vec<String>,
    /// The layer of every component.
    layer_of: Vec<usize>,
}

impl Layers {
    pub fn from_frame(frame: &Frame) -> Self {
        let mut layers = Layers::default();
        for name in &frame.matrices[1..] {
            let layer = layer_name(name);
            let known = layers.names.iter().position(|known| known == layer);
            layers.layer_of.push(known.unwrap_or(layers.names.len()));
            if known.is_none() {
                layers.names.push(layer.to_string());
            }
        }
        layers.names.push("total".into());
        layers
    }

    /// Row `row` of a region, counted from its first row: of every layer, then of the total, `[layers + 1, cols]`.
    pub fn row<R: Real>(&self, part: &RegionData<'_, R>, constants: &Grams<R>, row: usize, out: &mut [R]) {
        let width = part.region().cols.len();
        out.fill(R::default());
        let (layers, total) = out.split_at_mut((self.names.len() - 1) * width);
        for (component, &layer) in self.layer_of.iter().enumerate() {
            let from = &part.block(1 + component, 0)[row * width..][..width];
            let to = &mut layers[layer * width..][..width];
            match constants.row(component, part, row) {
                Some((gram, 1)) => to.iter_mut().zip(from).zip(gram).for_each(|((to, &x), &g)| *to += x * g),
                Some((gram, outputs)) => {
                    let scaled = to.iter_mut().zip(from).enumerate();
                    scaled.for_each(|(col, (to, &x))| *to += x * gram[col / outputs]);
                }
                None => to.iter_mut().zip(from).for_each(|(to, &x)| *to += x),
            }
        }
        for layer in layers.chunks_exact(width) {
            total.iter_mut().zip(layer).for_each(|(sum, &x)| *sum += x);
        }
    }
}

/// The Grams of constant input operands, computed when a region is first filled.
pub(super) struct Grams<R> {
    constants: Vec<ConstantGram<R>>,
}

struct ConstantGram<R> {
    constant: Constant,
    /// i, the number of features.
    width: usize,
    /// The operands of the rows' samples, `[n, i]`.
    rows: Vec<R>,
    /// The operands of the columns' samples, if they are other samples.
    cols: Option<Vec<R>>,
    /// The number of rows of K per sample.
    outputs_per_sample: usize,
    tiles: Vec<OnceLock<Vec<R>>>,
}

impl<R: Real> Grams<R> {
    /// The Grams for the kernel `ntk`, K(X, X) or K(X, Z).
    pub fn new<B: Gram<Number = R>, O: Op>(
        session: &Session<'_, B, O>,
        ntk: &Ntk<'_, B, O>,
        (x, z): (&dyn Samples<R>, Option<&dyn Samples<R>>),
    ) -> Result<Self> {
        let samples = (x.samples(), z.map(|z| z.samples()));
        let mut constants = Vec::new();
        for constant in ntk.constants(samples)? {
            let rows = input_operand(session, x, constant)?;
            let cols = z.map(|z| input_operand(session, z, constant)).transpose()?;
            let width = rows.len() / x.samples().max(1);
            constants.push(ConstantGram { constant, width, rows, cols, outputs_per_sample: 1, tiles: Vec::new() });
        }
        Ok(Grams { constants })
    }

    /// The same kernel with all components. Components of these Grams are computed without their input Gram.
    pub fn without_input_gram<'s, B: Gram<Number = R>, O: Op>(&self, ntk: Ntk<'s, B, O>) -> Ntk<'s, B, O> {
        let constants: Vec<Constant> = self.constants.iter().map(|gram| gram.constant).collect();
        ntk.components(true).without_input_grams(&constants)
    }

    /// Called before regions are filled. The regions are the same every time.
    pub fn begin(&mut self, frame: &Frame) {
        for gram in self.constants.iter_mut().filter(|gram| gram.tiles.is_empty()) {
            gram.outputs_per_sample = frame.rows / (gram.rows.len() / gram.width.max(1)).max(1);
            gram.tiles = frame.regions.iter().map(|_| OnceLock::new()).collect();
        }
    }

    /// The row of the Gram for row `row` of a component, and the number of columns of K for each of its entries.
    fn row(&self, component: usize, part: &RegionData<'_, R>, row: usize) -> Option<(&[R], usize)> {
        let gram = self.constants.iter().find(|gram| gram.constant.parameter == component)?;
        let region = part.region();
        let tile = gram.tiles[part.index].get_or_init(|| gram.tile(region));
        let cols = region.cols.len() / gram.outputs_per_sample;
        Some((&tile[row / gram.outputs_per_sample * cols..][..cols], gram.outputs_per_sample))
    }
}

impl<R: Real> ConstantGram<R> {
    fn tile(&self, region: &Region) -> Vec<R> {
        let cpu = Cpu::<R>::new();
        let operand = |numbers: &[R], range: &std::ops::Range<usize>| {
            let first = range.start / self.outputs_per_sample;
            let last = range.end / self.outputs_per_sample;
            cpu.upload(&numbers[first * self.width..last * self.width], &[last - first, self.width])
        };
        let rows = operand(&self.rows, &region.rows);
        let cols = operand(self.cols.as_ref().unwrap_or(&self.rows), &region.cols);
        cpu.matmul(&rows, false, &cols, true).as_slice().to_vec()
    }
}
