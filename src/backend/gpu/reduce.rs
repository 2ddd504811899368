//! Sums over axes, and softmax over the last one.

use super::kernels::{self, Kernel};
use super::layout::{merged, words};
use super::{Gpu, Launch, TOUCH, Tensor, word};
use crate::shape::{numel, strides};

/// Up to so many entries are summed by one invocation.
const FEW: usize = 64;
/// Or more, if there are so many sums that invocations have enough to do.
const MANY_SUMS: usize = 1 << 14;

impl Gpu {
    pub(super) fn summed(&self, x: &Tensor, axes: &[usize]) -> Tensor {
        let own = strides(&x.shape);
        let part = |gone: bool| {
            let list = (0..x.shape.len()).filter(|axis| axes.contains(axis) == gone);
            let (sizes, steps): (Vec<usize>, Vec<usize>) = list.map(|axis| (x.shape[axis], own[axis])).unzip();
            (numel(&sizes), merged(&sizes, [&steps]))
        };
        let ((sums, stay), (count, go)) = (part(false), part(true));
        let mut shape = x.shape.clone();
        axes.iter().for_each(|&axis| shape[axis] = 1);
        let mut list = vec![word(sums), word(count), word(stay.len()), word(go.len()), 0];
        list.extend(words(&stay).chain(words(&go)));
        let few = count <= FEW || sums >= MANY_SUMS;
        let (kernel, groups, work) = match few {
            true => (&kernels::SUM_FEW, sums.div_ceil(128), 128.0 * count as f64),
            false => (&kernels::SUM_MANY, sums, count as f64),
        };
        let work = TOUCH * (work + 128.0);
        self.launch(Launch { kernel, inputs: &[&x.storage], shape: &shape, words: &list, groups, work })
    }

    /// A kernel that takes the rows of the last axis one by one.
    pub(super) fn by_row(&self, kernel: &Kernel, x: &Tensor) -> Tensor {
        let last = *x.shape.last().expect("softmax has an axis");
        let rows = if last == 0 { 0 } else { numel(&x.shape) / last };
        let work = 100.0 * (last + 64) as f64;
        let (shape, words) = (&x.shape, &[word(last)]);
        self.launch(Launch { kernel, inputs: &[&x.storage], shape, words, groups: rows, work })
    }
}
