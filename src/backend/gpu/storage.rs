use std::ops::Range;
use std::sync::Arc;

use super::context::buffer;
use super::launch::{Launch, TOUCH, groups, param};
use super::layout::{axis_params, merged};
use super::memory::Buffer;
use super::{Gpu, Index, Tensor, kernels};
use crate::backend::Storage;
use crate::error::Result;
use crate::shape::{numel, strides};

impl Storage for Gpu {
    type Number = f32;
    type Tensor = Tensor;
    type Index = Index;

    fn upload(&self, data: &[f32], shape: &[usize]) -> Tensor {
        assert_eq!(data.len(), numel(shape), "the number of entries does not match the shape {shape:?}");
        let allocation = self.0.fault.check().and_then(|()| self.0.upload(bytemuck::cast_slice(data))).map(Arc::new);
        Tensor { shape: shape.to_vec(), allocation }
    }
    fn read(&self, x: &Tensor) -> Result<Vec<f32>> {
        let bytes = 4 * numel(&x.shape) as u64;
        let buffer = buffer(&x.allocation)?;
        if bytes == 0 {
            return self.0.fault.check().map(|()| Vec::new());
        }
        self.0.read(buffer, bytes, bytemuck::pod_collect_to_vec)
    }
    fn shape<'a>(&self, x: &'a Tensor) -> &'a [usize] {
        &x.shape
    }
    fn full(&self, value: f64, shape: &[usize]) -> Tensor {
        let entries = numel(shape);
        self.launch(Launch {
            kernel: &kernels::FILL,
            inputs: &[],
            shape,
            params: &[param(entries), (value as f32).to_bits()],
            groups: groups(entries),
            work: 1024.0 * TOUCH,
        })
    }
    fn reshape(&self, x: &Tensor, shape: &[usize]) -> Tensor {
        assert_eq!(numel(&x.shape), numel(shape), "reshape of {:?} to {shape:?}", x.shape);
        Tensor { shape: shape.to_vec(), allocation: x.allocation.clone() }
    }
    fn slice(&self, x: &Tensor, axis: usize, range: Range<usize>) -> Tensor {
        assert!(range.end <= x.shape[axis], "slice {range:?} along axis {axis} of {:?}", x.shape);
        let mut shape = x.shape.clone();
        shape[axis] = range.len();
        if shape == x.shape {
            return x.clone();
        }
        let from = strides(&x.shape);
        self.strided_copy(x, shape, &from, range.start * from[axis])
    }
    fn permute(&self, x: &Tensor, order: &[usize]) -> Tensor {
        let from = strides(&x.shape);
        let shape: Vec<usize> = order.iter().map(|&axis| x.shape[axis]).collect();
        let from: Vec<usize> = order.iter().map(|&axis| from[axis]).collect();
        self.strided_copy(x, shape, &from, 0)
    }
    fn concat(&self, arrays: &[&Tensor], axis: usize) -> Tensor {
        let mut shape = arrays[0].shape.clone();
        shape[axis] = arrays.iter().map(|x| x.shape[axis]).sum();
        let allocation = self.empty(numel(&shape)).and_then(|output| {
            self.copy_in_sequence(arrays, axis, &strides(&shape), &output)?;
            Ok(output)
        });
        Tensor { shape, allocation }
    }
}

/// A strided copy of entries from one array to another.
pub(super) struct Copy<'a> {
    pub shape: &'a [usize],
    /// The strides in the source and in the destination.
    pub from: &'a [usize],
    pub to: &'a [usize],
    /// The offset of the first entry in the source and in the destination.
    pub first: [usize; 2],
}

impl Gpu {
    /// The array of `shape` with the entries of `x` at the strides `from`, starting at `first`.
    pub(super) fn strided_copy(&self, x: &Tensor, shape: Vec<usize>, from: &[usize], first: usize) -> Tensor {
        let allocation = self.empty(numel(&shape)).and_then(|output| {
            let copy = Copy { shape: &shape, from, to: &strides(&shape), first: [first, 0] };
            self.copy_entries(x, &copy, &output)?;
            Ok(output)
        });
        Tensor { shape, allocation }
    }

    /// Copies the arrays one after another along `axis` to `output`, whose strides are `to`.
    fn copy_in_sequence(&self, arrays: &[&Tensor], axis: usize, to: &[usize], output: &Buffer) -> Result<()> {
        let mut first = 0;
        for x in arrays {
            let copy = Copy { shape: &x.shape, from: &strides(&x.shape), to, first: [0, first * to[axis]] };
            self.copy_entries(x, &copy, output)?;
            first += x.shape[axis];
        }
        Ok(())
    }

    pub(super) fn copy_entries(&self, x: &Tensor, copy: &Copy<'_>, output: &Buffer) -> Result<()> {
        let axes = merged(copy.shape, [copy.from, copy.to]);
        let entries = numel(copy.shape);
        let mut params = vec![param(entries), param(axes.len()), param(copy.first[0]), param(copy.first[1]), 0];
        params.extend(axis_params(&axes));
        let launch = Launch {
            kernel: &kernels::COPY,
            inputs: &[&x.allocation],
            shape: copy.shape,
            params: &params,
            groups: groups(entries),
            work: 1024.0 * TOUCH,
        };
        self.launch_to(&launch, output)
    }
}
