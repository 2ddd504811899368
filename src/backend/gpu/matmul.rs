//! Matrix products.

use super::gram::Matrix;
use super::kernels;
use super::layout::{merged, words};
use super::{Gpu, Launch, Tensor, word};
use crate::shape::{self, broadcast_strides, numel};

/// Fewer rows or columns are cut into tiles that are small along them.
const SMALL: usize = 33;
/// Longer sums are those of so many steps, added up: a workgroup that does all takes long, and there are drivers that end
/// all loops of an invocation after 65,535 rounds together, and say nothing.
const STEPS: usize = 1 << 14;

/// Single products of at least so many rows and columns are worth making panels for.
const LARGE: usize = 64;

impl Gpu {
    pub(super) fn product(&self, x: &Tensor, transpose_x: bool, y: &Tensor, transpose_y: bool) -> Tensor {
        let shape = shape::matmul(&x.shape, transpose_x, &y.shape, transpose_y);
        if y.shape.len() == 2 && !transpose_x && x.shape.len() > 2 {
            // One right-hand side for the whole batch: one product over all its rows.
            let steps = x.shape[x.shape.len() - 1];
            let flat = Tensor { shape: vec![numel(&shape[..shape.len() - 1]), steps], storage: x.storage.clone() };
            let product = self.product(&flat, false, y, transpose_y);
            return Tensor { shape, storage: product.storage };
        }
        let [rows, cols] = [shape[shape.len() - 2], shape[shape.len() - 1]];
        let batch = &shape[..shape.len() - 2];
        let steps = x.shape[x.shape.len() - if transpose_x { 2 } else { 1 }];
        if steps > STEPS {
            let [x_axis, y_axis] =
                [x.shape.len() - if transpose_x { 2 } else { 1 }, y.shape.len() - if transpose_y { 1 } else { 2 }];
            let parts = crate::shape::blocks(steps, STEPS).into_iter().map(|range| {
                let [x, y] = [self.sliced(x, x_axis, range.clone()), self.sliced(y, y_axis, range)];
                self.product(&x, transpose_x, &y, transpose_y)
            });
            return parts.reduce(|sum, part| self.zipped(&kernels::ADD, &sum, &part)).expect("there are several");
        }
        // From one matrix to the next.
        let apart = |s: &[usize]| {
            let (batch_of, matrix) = s.split_at(s.len() - 2);
            broadcast_strides(batch_of, batch).into_iter().map(|k| k * matrix[0] * matrix[1]).collect::<Vec<_>>()
        };
        let axes = merged(batch, [&apart(&x.shape), &apart(&y.shape)]);
        let by_row = |transposed: bool, [rows, cols]: [usize; 2]| if transposed { [1, rows] } else { [cols, 1] };
        let [x_row, x_step] = by_row(transpose_x, [rows, steps]);
        let [y_step, y_col] = by_row(transpose_y, [steps, cols]);
        if numel(batch) == 1 && rows.min(cols) >= LARGE && steps >= LARGE / 2 && self.has_panels(rows.max(cols), steps)
        {
            let x = Matrix { tensor: x, count: rows, steps, by_one: x_row, by_step: x_step };
            let y = Matrix { tensor: y, count: cols, steps, by_one: y_col, by_step: y_step };
            return Tensor { shape, storage: self.product_of_panels(&x, &y) };
        }
        let [high, wide] = match [rows, cols].map(|size| size < SMALL) {
            [true, true] => [16, 16],
            [true, false] => [16, 64],
            [false, true] => [64, 16],
            [false, false] => [64, 64],
        };
        let tiles = [rows.div_ceil(high), cols.div_ceil(wide)];
        let mut list: Vec<u32> =
            [rows, cols, steps, x_row, x_step, y_step, y_col, tiles[0], tiles[1], axes.len()].map(word).to_vec();
        list.extend([0, 0, 0]);
        list.extend(words(&axes));
        self.launch(Launch {
            kernel: match [high, wide] {
                [16, 16] => &kernels::MATMUL_SMALL,
                [16, _] => &kernels::MATMUL_WIDE,
                [_, 16] => &kernels::MATMUL_TALL,
                _ => &kernels::MATMUL_LARGE,
            },
            inputs: &[&x.storage, &y.storage],
            shape: &shape,
            words: &list,
            groups: if numel(&shape) == 0 { 0 } else { numel(batch) * tiles[0] * tiles[1] },
            // Small tiles take longer for what they do.
            work: (2 * high * wide * (steps + 16)) as f64 * (128.0 / (high + wide) as f64).powi(2),
        })
    }
}
