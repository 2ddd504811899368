//! From components to layers, row by row, with what stays during training multiplied in.

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

/// The layers of a kernel and which components they are the sums of. A layer is what its parameters' names have before the
/// last dot.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Layers {
    /// In order, and `"total"` last.
    pub names: Vec<String>,
    /// The layer of every component.
    of: Vec<usize>,
}

impl Layers {
    pub fn of(frame: &Frame) -> Self {
        let mut layers = Layers::default();
        for name in &frame.matrices[1..] {
            let layer = layer_name(name);
            let known = layers.names.iter().position(|own| own == layer);
            layers.of.push(known.unwrap_or(layers.names.len()));
            if known.is_none() {
                layers.names.push(layer.to_string());
            }
        }
        layers.names.push("total".into());
        layers
    }

    /// Row `row` of a unit, counted from its first: of every layer, then of the total, \[layers + 1, cols\].
    pub fn row<R: Real>(&self, part: &RegionData<'_, R>, constants: &Grams<R>, row: usize, out: &mut [R]) {
        let width = part.region().cols.len();
        out.fill(R::default());
        let (layers, total) = out.split_at_mut((self.names.len() - 1) * width);
        for (component, &layer) in self.of.iter().enumerate() {
            let from = &part.block(1 + component, 0)[row * width..][..width];
            let to = &mut layers[layer * width..][..width];
            match constants.row(component, part, row) {
                Some((gram, 1)) => to.iter_mut().zip(from).zip(gram).for_each(|((to, &x), &g)| *to += x * g),
                Some((gram, inner)) => {
                    to.iter_mut().zip(from).enumerate().for_each(|(col, (to, &x))| *to += x * gram[col / inner]);
                }
                None => to.iter_mut().zip(from).for_each(|(to, &x)| *to += x),
            }
        }
        for layer in layers.chunks_exact(width) {
            total.iter_mut().zip(layer).for_each(|(sum, &x)| *sum += x);
        }
    }
}

/// The Grams of left sides that stay, unit by unit: made when a unit comes for the first time.
pub(super) struct Grams<R> {
    list: Vec<Constants<R>>,
}

struct Constants<R> {
    constant: Constant,
    /// i
    width: usize,
    /// The side of the rows' samples, \[n, i\], and of the columns', if those are others.
    sides: (Vec<R>, Option<Vec<R>>),
    /// The number of rows of K for a sample.
    inner: usize,
    tiles: Vec<OnceLock<Vec<R>>>,
}

impl<R: Real> Grams<R> {
    /// Those of the kernel that `ntk` is: of K(X, X), or of K(X, Z).
    pub fn new<B: Gram<Number = R>, O: Op>(
        session: &Session<'_, B, O>,
        ntk: &Ntk<'_, B, O>,
        (x, z): (&dyn Samples<R>, Option<&dyn Samples<R>>),
    ) -> Result<Self> {
        let of = |constant: Constant| {
            let rows = input_operand(session, x, constant)?;
            let cols = z.map(|z| input_operand(session, z, constant)).transpose()?;
            let width = rows.len() / x.samples().max(1);
            Ok(Constants { constant, width, sides: (rows, cols), inner: 1, tiles: Vec::new() })
        };
        let constants = ntk.constants((x.samples(), z.map(|z| z.samples())))?;
        Ok(Grams { list: constants.into_iter().map(of).collect::<Result<_>>()? })
    }

    /// The same kernel with all components, those that these Grams belong to without them.
    pub fn without_input_gram<'s, B: Gram<Number = R>, O: Op>(&self, ntk: Ntk<'s, B, O>) -> Ntk<'s, B, O> {
        let constants: Vec<Constant> = self.list.iter().map(|own| own.constant).collect();
        ntk.components(true).without_input_grams(&constants)
    }

    /// Called before units come, which are the same every time.
    pub fn begin(&mut self, frame: &Frame) {
        for own in self.list.iter_mut().filter(|own| own.tiles.is_empty()) {
            own.inner = frame.rows / (own.sides.0.len() / own.width.max(1)).max(1);
            own.tiles = frame.regions.iter().map(|_| OnceLock::new()).collect();
        }
    }

    /// The row of G beside row `row` of a component, and how many columns of K an entry of it is for.
    fn row(&self, component: usize, part: &RegionData<'_, R>, row: usize) -> Option<(&[R], usize)> {
        let own = self.list.iter().find(|own| own.constant.parameter == component)?;
        let region = part.region();
        let tile = own.tiles[part.index].get_or_init(|| own.tile(region));
        let cols = region.cols.len() / own.inner;
        Some((&tile[row / own.inner * cols..][..cols], own.inner))
    }
}

impl<R: Real> Constants<R> {
    fn tile(&self, region: &Region) -> Vec<R> {
        let cpu = Cpu::<R>::new();
        let side = |rows: &[R], range: &std::ops::Range<usize>| {
            let (first, last) = (range.start / self.inner, range.end / self.inner);
            cpu.upload(&rows[first * self.width..last * self.width], &[last - first, self.width])
        };
        let rows = side(&self.sides.0, &region.rows);
        let cols = side(self.sides.1.as_ref().unwrap_or(&self.sides.0), &region.cols);
        cpu.matmul(&rows, false, &cols, true).as_slice().to_vec()
    }
}
