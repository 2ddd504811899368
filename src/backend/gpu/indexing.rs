use std::ops::Range;

use super::launch::{Launch, TOUCH, groups, param};
use super::tensor::Origin;
use super::{Gpu, Index, Tensor, kernels};
use crate::backend::{Indexing, Pointwise, Storage};
use crate::error::Error;
use crate::shape::{blocks, numel};

/// The largest number of rows that one entry searches per dispatch: some drivers silently end all loops of an
/// invocation after 65,535 rounds in total.
const ROWS: usize = 1 << 14;
/// The longest row that is sorted: an invocation searches the row of each of its four entries, and the limit above applies.
const LONGEST_ROW: usize = 65_535 / 4;

impl Indexing for Gpu {
    fn indices(&self, x: &Tensor, rows: usize, apart: bool) -> Index {
        let entries = numel(&x.shape);
        let Tensor { shape, allocation } = self.launch(Launch {
            kernel: &kernels::INDICES,
            inputs: &[&x.allocation],
            shape: &x.shape,
            params: &[param(entries), param(rows), param(numel(&x.shape[1..]).max(1)), u32::from(apart)],
            groups: groups(entries),
            work: 1024.0 * TOUCH,
        });
        let segments = if apart { x.shape[0] } else { 1 };
        Index { shape, allocation, origin: Origin::Segments(segments) }
    }

    fn gather(&self, x: &Tensor, index: &Index) -> Tensor {
        let d = x.shape[1];
        let shape = [&index.shape[..], &[d]].concat();
        let entries = numel(&shape);
        self.launch(Launch {
            kernel: &kernels::GATHER,
            inputs: &[&x.allocation, &index.allocation],
            shape: &shape,
            params: &[param(entries), param(x.shape[0]), param(d)],
            groups: groups(entries),
            work: 1024.0 * TOUCH,
        })
    }

    /// WGSL has no atomic addition of floats, and its order would vary. So every row of the result searches `index` for
    /// its own number, within its segment or plane.
    fn scatter(&self, y: &Tensor, index: &Index, rows: usize) -> Tensor {
        let d = y.shape[y.shape.len() - 1];
        let segments = match index.origin {
            Origin::Argmax { window, planes } if d == 1 && rows == numel(&planes) => {
                return self.scatter_to_maxima(y, index, &window, planes);
            }
            // All segments have the same number of rows.
            Origin::Segments(count) if count > 0 && rows.is_multiple_of(count) => count,
            _ => 1,
        };
        let per_segment = numel(&index.shape) / segments;
        let segment_rows = rows / segments;
        let parts = blocks(per_segment, ROWS).into_iter();
        let parts = parts.map(|range| self.scatter_range(y, index, [rows, d], [segment_rows, per_segment], range));
        parts.reduce(|sum, part| self.add(&sum, &part)).unwrap_or_else(|| self.full(0.0, &[rows, d]))
    }

    fn sort_order(&self, x: &Tensor, descending: bool) -> Tensor {
        let size = *x.shape.last().expect("sort_order needs at least one axis");
        let entries = numel(&x.shape);
        if size > LONGEST_ROW {
            let error = Error::unsupported(format!(
                "sort_order: rows of {size} entries on a GPU, where {LONGEST_ROW} are the most; run the network on the CPU"
            ));
            return Tensor { shape: x.shape.clone(), allocation: Err(error) };
        }
        self.launch(Launch {
            kernel: &kernels::SORT_ORDER,
            inputs: &[&x.allocation],
            shape: &x.shape,
            params: &[param(entries), param(size), u32::from(descending)],
            groups: groups(entries),
            work: 1024.0 * TOUCH * (1 + size) as f64,
        })
    }
}

impl Gpu {
    /// [`scatter`](Indexing::scatter) for the numbers `range` of every segment. A segment has `segment_rows` rows and
    /// `per_segment` numbers.
    fn scatter_range(
        &self,
        y: &Tensor,
        index: &Index,
        [rows, d]: [usize; 2],
        [segment_rows, per_segment]: [usize; 2],
        range: Range<usize>,
    ) -> Tensor {
        let entries = rows * d;
        self.launch(Launch {
            kernel: &kernels::SCATTER,
            inputs: &[&y.allocation, &index.allocation],
            shape: &[rows, d],
            params: &[entries, d, segment_rows, per_segment, range.start, range.end].map(param),
            groups: groups(entries),
            work: 1024.0 * TOUCH * (1 + range.len()) as f64,
        })
    }
}
