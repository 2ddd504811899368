//! The mean over a window.

use super::pooling::{Pooling, pooling_methods};
use super::{Case, Op, OpContext};
use crate::attributes::Attributes;
use crate::backend::{Arrays, Window};
use crate::error::{Error, Result};
use crate::real::Real;

/// The mean over a sliding window on `[i, h, w]`: `y[n,i,t]` is the sum of the entries of `x[n,i]` in the window at
/// position t, divided by their number.
///
/// Attributes: `kernel`, `stride` (default: the kernel) and `padding` (default 0, at most half of the kernel). Each is a
/// number or `[height, width]`. `padding` may also be `[top, left, bottom, right]`. `ceil_mode` defaults to false.
/// `count_include_pad` (default true) counts padding as entries. Entries beyond the padding, which ceil mode adds, never
/// count. All of this agrees with PyTorch.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AvgPool2d {
    pooling: Pooling,
    count_include_pad: bool,
}

impl AvgPool2d {
    pooling_methods!();

    /// Whether padding counts as entries.
    #[must_use]
    pub fn count_include_pad(mut self, count: bool) -> Self {
        self.count_include_pad = count;
        self
    }

    fn from_pooling(pooling: Pooling) -> Self {
        AvgPool2d { pooling, count_include_pad: true }
    }

    fn read(attributes: &Attributes) -> Result<Self> {
        let pooling = Pooling::parse(attributes)?;
        let count_include_pad = attributes.flag_or("count_include_pad", true)?;
        if pooling.dilation != [1, 1] {
            let dilation = pooling.dilation;
            return Err(Error::value(format!(
                "attribute 'dilation' is {dilation:?}, but an average pool has no dilation"
            )));
        }
        Ok(AvgPool2d { pooling, count_include_pad })
    }

    fn size<B: Arrays>(ctx: &OpContext<'_, B>) -> [usize; 2] {
        let shape = ctx.input_shape(0);
        [shape[2], shape[3]]
    }

    fn window<B: Arrays>(&self, ctx: &OpContext<'_, B>) -> Window {
        self.pooling.window(Self::size(ctx)).expect("the shape rule accepted the window")
    }

    /// `y` divided by the number of entries at each position.
    fn divided<B: Arrays>(&self, ctx: &OpContext<'_, B>, window: &Window, y: &B::Tensor) -> B::Tensor {
        let [h, w] = Self::size(ctx);
        let [rows, cols] = window.positions([h, w]).expect("the shape rule accepted the window");
        let along_h = self.counts(0, h, rows);
        let along_w = self.counts(1, w, cols);
        let row = |h: &f64| along_w.iter().map(move |w| B::Number::from_f64(1.0 / (h * w))).collect::<Vec<_>>();
        let inverse_counts: Vec<B::Number> = along_h.iter().flat_map(row).collect();
        ctx.arrays.mul(y, &ctx.arrays.upload(&inverse_counts, &[1, 1, rows, cols]))
    }

    /// The number of counted entries along an axis, for every position.
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

    fn forward<B: Arrays>(&self, ctx: &OpContext<'_, B>) -> B::Tensor {
        let window = self.window(ctx);
        self.divided(ctx, &window, &ctx.arrays.window_sum(ctx.inputs[0], &window))
    }

    fn pull<B: Arrays>(&self, ctx: &OpContext<'_, B>, _y: &B::Tensor, dy: &B::Tensor, _input: usize) -> B::Tensor {
        let window = self.window(ctx);
        ctx.arrays.window_spread(&self.divided(ctx, &window, dy), &window, Self::size(ctx))
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
