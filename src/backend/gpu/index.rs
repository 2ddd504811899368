//! Rows by number.

use super::kernels;
use super::tensor::Origin;
use super::{Gpu, Index, Launch, TOUCH, Tensor, groups, word};
use crate::shape::numel;

/// Rows that an entry looks through at a time: there are drivers that end all loops of an invocation after 65,535 rounds
/// together, and say nothing.
const ROWS: usize = 1 << 14;

impl Gpu {
    pub(super) fn rows_of(&self, x: &Tensor, rows: usize, apart: bool) -> Index {
        let entries = numel(&x.shape);
        let Tensor { shape, storage } = self.launch(Launch {
            kernel: &kernels::INDICES,
            inputs: &[&x.storage],
            shape: &x.shape,
            words: &[word(entries), word(rows), word(numel(&x.shape[1..]).max(1)), u32::from(apart)],
            groups: groups(entries),
            work: 1024.0 * TOUCH,
        });
        let segments = if apart { x.shape[0] } else { 1 };
        Index { shape, storage, origin: Origin::Segments(segments) }
    }

    pub(super) fn gathered(&self, x: &Tensor, index: &Index) -> Tensor {
        let d = x.shape[1];
        let shape = [&index.shape[..], &[d]].concat();
        let entries = numel(&shape);
        self.launch(Launch {
            kernel: &kernels::GATHER,
            inputs: &[&x.storage, &index.storage],
            shape: &shape,
            words: &[word(entries), word(x.shape[0]), word(d)],
            groups: groups(entries),
            work: 1024.0 * TOUCH,
        })
    }

    pub(super) fn scattered(&self, y: &Tensor, index: &Index, rows: usize) -> Tensor {
        let d = y.shape[y.shape.len() - 1];
        let segments = match index.origin {
            Origin::Largest(window, of) if d == 1 && rows == numel(&of) => {
                return self.scattered_to_largest(y, index, &window, of);
            }
            Origin::Largest(..) => 1,
            // Each has as many rows as another.
            Origin::Segments(count) => {
                if count > 0 && rows.is_multiple_of(count) {
                    count
                } else {
                    1
                }
            }
        };
        let (entries, each) = (rows * d, numel(&index.shape) / segments);
        let some = |range: std::ops::Range<usize>| {
            let list = [entries, d, rows / segments, each, range.start, range.end].map(word);
            self.launch(Launch {
                kernel: &kernels::SCATTER,
                inputs: &[&y.storage, &index.storage],
                shape: &[rows, d],
                words: &list,
                groups: groups(entries),
                work: 1024.0 * TOUCH * (1 + range.len()) as f64,
            })
        };
        let parts = crate::shape::blocks(each, ROWS).into_iter().map(some);
        let sum = parts.reduce(|sum, part| self.zipped(&kernels::ADD, &sum, &part));
        sum.unwrap_or_else(|| self.filled(0.0, &[rows, d]))
    }
}
