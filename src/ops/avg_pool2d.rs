//! The mean over a window.

use super::pooling::{Pooling, pooling_methods};
use super::{Case, Op, OpContext};
use crate::attributes::Attributes;
use crate::backend::{Arrays, Window};
use crate::error::{Error, Result};
use crate::real::Real;

/// y\[n,i,t\] = the sum over the entries of x\[n,i\] that a window shows at position t, divided by their number, on
/// \[i, h, w\].
///
/// Attributes: `kernel`, `stride` (the kernel where missing) and `padding` (0, at most half of the kernel), each a number
/// or \[height, width\], `padding` also \[top, left, bottom, right\]; `ceil_mode` (false); `count_include_pad` (true): the number is that of entries of plane and
/// padding, and otherwise of the plane alone. What ceil mode looks at beyond the padding never counts, as in PyTorch.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AvgPool2d {
    pooling: Pooling,
    count_include_pad: bool,
}

impl AvgPool2d {
    pooling_methods!();

    /// Entries of the padding count as entries.
    #[must_use]
    pub fn count_include_pad(mut self, count: bool) -> Self {
        self.count_include_pad = count;
        self
    }

    fn from_pooling(pooling: Pooling) -> Self {
        AvgPool2d { pooling, count_include_pad: true }
    }

    fn read(attributes: &Attributes) -> Result<Self> {
        let (pooling, count_include_pad) =
            (Pooling::parse(attributes)?, attributes.flag_or("count_include_pad", true)?);
        if pooling.dilation != [1, 1] {
            return Err(Error::value(format!("attribute 'dilation' is {:?}: an average has none", pooling.dilation)));
        }
        Ok(AvgPool2d { pooling, count_include_pad })
    }

    fn size<B: Arrays>(at: &OpContext<'_, B>) -> [usize; 2] {
        let shape = at.input_shape(0);
        [shape[2], shape[3]]
    }

    fn window<B: Arrays>(&self, at: &OpContext<'_, B>) -> Window {
        self.pooling.window(Self::size(at)).expect("the shape rule said so")
    }

    /// `y` divided by the number of entries at each position.
    fn divided<B: Arrays>(&self, at: &OpContext<'_, B>, window: &Window, y: &B::Tensor) -> B::Tensor {
        let [h, w] = Self::size(at);
        let [rows, cols] = window.positions([h, w]).expect("the shape rule said so");
        let (along_h, along_w) = (self.counts(0, h, rows), self.counts(1, w, cols));
        let share = |h: &f64| along_w.iter().map(move |w| B::Number::from_f64(1.0 / (h * w))).collect::<Vec<_>>();
        let shares: Vec<B::Number> = along_h.iter().flat_map(share).collect();
        at.arrays.mul(y, &at.arrays.upload(&shares, &[1, 1, rows, cols]))
    }

    /// How many entries count along an axis, position by position.
    fn counts(&self, axis: usize, size: usize, positions: usize) -> Vec<f64> {
        let [before, after] = self.pooling.padding[axis];
        let counted = if self.count_include_pad { 0..before + size + after } else { before..before + size };
        let count = |position: usize| {
            let begin = position * self.pooling.stride[axis];
            let end = (begin + self.pooling.kernel[axis]).min(counted.end);
            end.saturating_sub(begin.max(counted.start)) as f64
        };
        (0..positions).map(count).collect()
    }
}

impl Op for AvgPool2d {
    fn name(&self) -> &'static str {
        "avg_pool2d"
    }

    fn parse(name: &str, attributes: &Attributes) -> Option<Result<Self>> {
        (name == "avg_pool2d").then(|| AvgPool2d::read(attributes).map_err(|e| e.context(name)))
    }

    fn shape(&self, inputs: &[&[usize]], parameters: &[&[usize]]) -> Result<Vec<usize>> {
        self.pooling.shape(self, inputs, parameters)
    }

    fn forward<B: Arrays>(&self, at: &OpContext<'_, B>) -> B::Tensor {
        let window = self.window(at);
        self.divided(at, &window, &at.arrays.window_sum(at.inputs[0], &window))
    }

    fn pull<B: Arrays>(&self, at: &OpContext<'_, B>, _y: &B::Tensor, dy: &B::Tensor, _input: usize) -> B::Tensor {
        let window = self.window(at);
        at.arrays.window_spread(&self.divided(at, &window, dy), &window, Self::size(at))
    }

    fn cases() -> Vec<Case<Self>> {
        let pool = AvgPool2d::new;
        let padded = pool([3, 2]).stride([2, 1]).padding([1, 1]);
        vec![
            Case::new(pool([2, 2]), &[&[2, 4, 5]], &[]),
            Case::new(padded, &[&[2, 4, 4]], &[]),
            Case::new(padded.count_include_pad(false), &[&[2, 4, 4]], &[]),
            Case::new(padded.ceil_mode(true), &[&[1, 4, 4]], &[]),
            Case::new(padded.padding_sides([[0, 1], [1, 0]]), &[&[1, 4, 3]], &[]),
            Case::new(pool([2, 3]).stride([3, 4]).ceil_mode(true).count_include_pad(false), &[&[1, 5, 6]], &[]),
        ]
    }
}
