use super::gram::Operand;
use super::kernels::{self, Kernel};
use super::launch::{Launch, TOUCH, param};
use super::layout::{axis_params, merged};
use super::{Gpu, Tensor};
use crate::backend::{Pointwise, Reductions, Storage};
use crate::shape::{self, broadcast_strides, numel, strides};

/// One invocation sums up to this number of entries.
const FEW: usize = 64;
/// With at least this number of sums, all invocations have work, and one may sum up to [`LONGEST`] entries.
const MANY_SUMS: usize = 1 << 14;
const LONGEST: usize = 1 << 12;
/// The largest number of entries that a workgroup sums. Longer sums are split between several workgroups: one workgroup
/// would take long, and some drivers silently end all loops of an invocation after 65,535 rounds in total.
const PART: usize = 1 << 17;

/// Tiles are small along an axis with fewer rows or columns than this.
const SMALL: usize = 33;
/// The largest number of steps of one product. Longer products are split and added, for the reasons given at [`PART`].
const STEPS: usize = 1 << 14;
/// A single product with at least this number of rows and columns is computed with packed panels.
const LARGE: usize = 64;

impl Reductions for Gpu {
    fn sum(&self, x: &Tensor, axes: &[usize]) -> Tensor {
        let steps = strides(&x.shape);
        let part = |summed: bool| {
            let axes = (0..x.shape.len()).filter(|axis| axes.contains(axis) == summed);
            let (sizes, steps): (Vec<usize>, Vec<usize>) = axes.map(|axis| (x.shape[axis], steps[axis])).unzip();
            (numel(&sizes), merged(&sizes, [&steps]))
        };
        let (sums, kept_axes) = part(false);
        let (count, summed_axes) = part(true);
        let mut shape = x.shape.clone();
        axes.iter().for_each(|&axis| shape[axis] = 1);
        let few = count <= FEW || (sums >= MANY_SUMS && count <= LONGEST);
        let parts = if few { 1 } else { count.div_ceil(PART) };
        let mut params =
            vec![param(sums), param(count), param(kept_axes.len()), param(summed_axes.len()), param(parts)];
        params.extend(axis_params(&kept_axes).chain(axis_params(&summed_axes)));
        let (kernel, groups, work) = if few {
            (&kernels::SUM_FEW, sums.div_ceil(128), 128.0 * count as f64)
        } else {
            (&kernels::SUM_MANY, sums * parts, (count / parts) as f64)
        };
        let work = TOUCH * (work + 128.0);
        let inputs = &[&x.allocation];
        if parts > 1 {
            let shape_of_parts = &[sums, parts];
            let sums = self.launch(Launch { kernel, inputs, shape: shape_of_parts, params: &params, groups, work });
            return self.reshape(&self.sum(&sums, &[1]), &shape);
        }
        self.launch(Launch { kernel, inputs, shape: &shape, params: &params, groups, work })
    }

    fn matmul(&self, x: &Tensor, transpose_x: bool, y: &Tensor, transpose_y: bool) -> Tensor {
        let shape = shape::matmul(&x.shape, transpose_x, &y.shape, transpose_y);
        if y.shape.len() == 2 && !transpose_x && x.shape.len() > 2 {
            // One right operand for the whole batch: one product over all rows.
            let steps = x.shape[x.shape.len() - 1];
            let flat = self.reshape(x, &[numel(&shape[..shape.len() - 1]), steps]);
            return self.reshape(&self.matmul(&flat, false, y, transpose_y), &shape);
        }
        let x_axis = x.shape.len() - if transpose_x { 2 } else { 1 };
        let y_axis = y.shape.len() - if transpose_y { 1 } else { 2 };
        let steps = x.shape[x_axis];
        if steps > STEPS {
            let parts = shape::blocks(steps, STEPS).into_iter().map(|range| {
                let [x, y] = [self.slice(x, x_axis, range.clone()), self.slice(y, y_axis, range)];
                self.matmul(&x, transpose_x, &y, transpose_y)
            });
            return parts.reduce(|sum, part| self.add(&sum, &part)).expect("more than STEPS steps are several parts");
        }
        self.short_product(x, transpose_x, y, transpose_y, shape)
    }

    fn softmax(&self, x: &Tensor) -> Tensor {
        self.by_row(&kernels::SOFTMAX, x)
    }
    fn log_softmax(&self, x: &Tensor) -> Tensor {
        self.by_row(&kernels::LOG_SOFTMAX, x)
    }
}

impl Gpu {
    /// The matrix product of `shape` with at most [`STEPS`] steps.
    fn short_product(&self, x: &Tensor, transpose_x: bool, y: &Tensor, transpose_y: bool, shape: Vec<usize>) -> Tensor {
        let (batch, matrix) = shape.split_at(shape.len() - 2);
        let [rows, cols] = [matrix[0], matrix[1]];
        let steps = x.shape[x.shape.len() - if transpose_x { 2 } else { 1 }];
        // The distance from one matrix of the batch to the next, along each axis.
        let batch_strides = |operand: &[usize]| {
            let (own_batch, matrix) = operand.split_at(operand.len() - 2);
            broadcast_strides(own_batch, batch).into_iter().map(|k| k * matrix[0] * matrix[1]).collect::<Vec<_>>()
        };
        let axes = merged(batch, [&batch_strides(&x.shape), &batch_strides(&y.shape)]);
        let by_row = |transposed: bool, [rows, cols]: [usize; 2]| if transposed { [1, rows] } else { [cols, 1] };
        let [x_row, x_step] = by_row(transpose_x, [rows, steps]);
        let [y_step, y_col] = by_row(transpose_y, [steps, cols]);
        if numel(batch) == 1 && rows.min(cols) >= LARGE && steps >= LARGE / 2 && self.has_panels(rows.max(cols), steps)
        {
            let x = Operand { tensor: x, count: rows, steps, stride: x_row, step_stride: x_step };
            let y = Operand { tensor: y, count: cols, steps, stride: y_col, step_stride: y_step };
            return Tensor { shape, allocation: self.product_of_panels(&x, &y) };
        }
        let (kernel, [high, wide]) = match [rows, cols].map(|size| size < SMALL) {
            [true, true] => (&kernels::MATMUL_SMALL, [16, 16]),
            [true, false] => (&kernels::MATMUL_WIDE, [16, 64]),
            [false, true] => (&kernels::MATMUL_TALL, [64, 16]),
            [false, false] => (&kernels::MATMUL_LARGE, [64, 64]),
        };
        let tiles = [rows.div_ceil(high), cols.div_ceil(wide)];
        let mut params: Vec<u32> =
            [rows, cols, steps, x_row, x_step, y_step, y_col, tiles[0], tiles[1], axes.len()].map(param).to_vec();
        params.extend([0, 0, 0]);
        params.extend(axis_params(&axes));
        self.launch(Launch {
            kernel,
            inputs: &[&x.allocation, &y.allocation],
            shape: &shape,
            params: &params,
            groups: if numel(&shape) == 0 { 0 } else { numel(batch) * tiles[0] * tiles[1] },
            // Small tiles take longer per operation.
            work: (2 * high * wide * (steps + 16)) as f64 * (128.0 / (high + wide) as f64).powi(2),
        })
    }

    /// Runs a kernel that takes one row of the last axis per workgroup.
    fn by_row(&self, kernel: &Kernel, x: &Tensor) -> Tensor {
        let last = *x.shape.last().expect("softmax needs at least one axis");
        let rows = numel(&x.shape).checked_div(last).unwrap_or(0);
        let work = 100.0 * (last + 64) as f64;
        let params = &[param(last)];
        self.launch(Launch { kernel, inputs: &[&x.allocation], shape: &x.shape, params, groups: rows, work })
    }
}
