//! Sums over axes, and softmax over the last one.

use super::kernels::{self, Kernel};
use super::layout::{merged, words};
use super::{Gpu, Launch, TOUCH, Tensor, word};
use crate::backend::Arrays;
use crate::shape::{numel, strides};

/// Up to so many entries are summed by one invocation.
const FEW: usize = 64;
/// Or more, if there are so many sums that invocations have enough to do, and each is within reason.
const MANY_SUMS: usize = 1 << 14;
const LONGEST: usize = 1 << 12;
/// A workgroup sums so many entries at most; several do parts of a longer sum. A single one would take long, and there are
/// drivers that end all loops of an invocation after 65,535 rounds together, and say nothing.
const PART: usize = 1 << 17;

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
        let few = count <= FEW || (sums >= MANY_SUMS && count <= LONGEST);
        let parts = if few { 1 } else { count.div_ceil(PART) };
        let mut list = vec![word(sums), word(count), word(stay.len()), word(go.len()), word(parts)];
        list.extend(words(&stay).chain(words(&go)));
        let (kernel, groups, work) = match few {
            true => (&kernels::SUM_FEW, sums.div_ceil(128), 128.0 * count as f64),
            false => (&kernels::SUM_MANY, sums * parts, (count / parts) as f64),
        };
        let work = TOUCH * (work + 128.0);
        if parts > 1 {
            let of_parts = &[sums, parts];
            let inputs = &[&x.storage];
            let sums = self.launch(Launch { kernel, inputs, shape: of_parts, words: &list, groups, work });
            return self.reshape(&self.summed(&sums, &[1]), &shape);
        }
        self.launch(Launch { kernel, inputs: &[&x.storage], shape: &shape, words: &list, groups, work })
    }

    /// A kernel that takes the rows of the last axis one by one.
    pub(super) fn by_row(&self, kernel: &Kernel, x: &Tensor) -> Tensor {
        let last = *x.shape.last().expect("softmax has an axis");
        let rows = numel(&x.shape).checked_div(last).unwrap_or(0);
        let work = 100.0 * (last + 64) as f64;
        let (shape, words) = (&x.shape, &[word(last)]);
        self.launch(Launch { kernel, inputs: &[&x.storage], shape, words, groups: rows, work })
    }
}
