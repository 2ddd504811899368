//! Kernels entry by entry, and those that move entries.

use std::ops::Range;

use super::kernels::{self, Kernel};
use super::layout::{merged, words};
use super::{Gpu, Launch, TOUCH, Tensor, groups, word};
use crate::backend::Relation;
use crate::shape::{broadcast, broadcast_strides, numel, strides};

/// What an accurate function costs for an entry, in operations.
const FUNCTION: f64 = 60.0;

impl Gpu {
    pub(super) fn filled(&self, value: f32, shape: &[usize]) -> Tensor {
        let entries = numel(shape);
        self.launch(Launch {
            kernel: &kernels::FILL,
            inputs: &[],
            shape,
            words: &[word(entries), value.to_bits()],
            groups: groups(entries),
            work: 1024.0 * TOUCH,
        })
    }

    /// A kernel of arrays of one shape, whose result has it too.
    pub(super) fn mapped(&self, kernel: &Kernel, inputs: &[&Tensor], numbers: &[u32], work: f64) -> Tensor {
        let shape = &inputs[0].shape;
        let entries = numel(shape);
        let inputs: Vec<_> = inputs.iter().map(|x| &x.storage).collect();
        self.launch(Launch {
            kernel,
            inputs: &inputs,
            shape,
            words: &[&[word(entries)], numbers].concat(),
            groups: groups(entries),
            work: 1024.0 * work,
        })
    }

    /// A function, with its numbers where its kernel looks for them.
    pub(super) fn function(&self, kernel: &Kernel, inputs: &[&Tensor], parameters: [f32; 2]) -> Tensor {
        let [one, two] = parameters.map(f32::to_bits);
        self.mapped(kernel, inputs, &[0, 0, 0, 0, one, two], FUNCTION)
    }

    /// A kernel of two arrays, broadcast.
    pub(super) fn zipped(&self, kernel: &Kernel, x: &Tensor, y: &Tensor) -> Tensor {
        self.zipped_with(kernel, 0, x, y)
    }

    /// A kernel of two arrays, broadcast, and a number of its own.
    fn zipped_with(&self, kernel: &Kernel, own: u32, x: &Tensor, y: &Tensor) -> Tensor {
        let shape = broadcast(&x.shape, &y.shape)
            .unwrap_or_else(|| panic!("shapes {:?} and {:?} do not broadcast", x.shape, y.shape));
        let axes = merged(&shape, [&broadcast_strides(&x.shape, &shape), &broadcast_strides(&y.shape, &shape)]);
        let entries = numel(&shape);
        let mut list = vec![word(entries), word(axes.len()), own, 0, 0];
        list.extend(words(&axes));
        self.launch(Launch {
            kernel,
            inputs: &[&x.storage, &y.storage],
            shape: &shape,
            words: &list,
            groups: groups(entries),
            work: 1024.0 * TOUCH,
        })
    }

    pub(super) fn compared(&self, relation: Relation, x: &Tensor, y: &Tensor) -> Tensor {
        let number = match relation {
            Relation::Equal => 0,
            Relation::Less => 1,
            Relation::LessOrEqual => 2,
        };
        self.zipped_with(&kernels::COMPARE, number, x, y)
    }

    pub(super) fn selected(&self, mask: &Tensor, x: &Tensor, y: &Tensor) -> Tensor {
        let shape = broadcast(&x.shape, &y.shape).and_then(|shape| broadcast(&mask.shape, &shape));
        let shape = shape
            .unwrap_or_else(|| panic!("shapes {:?}, {:?} and {:?} do not broadcast", mask.shape, x.shape, y.shape));
        let [mask, x, y] = [mask, x, y].map(|array| self.stretched(array, &shape));
        self.mapped(&kernels::SELECT, &[&mask, &x, &y], &[], TOUCH)
    }

    /// `x` stretched to `shape`.
    fn stretched(&self, x: &Tensor, shape: &[usize]) -> Tensor {
        match x.shape == shape {
            true => x.clone(),
            false => self.moved(x, shape.to_vec(), &broadcast_strides(&x.shape, shape), 0),
        }
    }

    pub(super) fn sliced(&self, x: &Tensor, axis: usize, range: Range<usize>) -> Tensor {
        assert!(range.end <= x.shape[axis], "{range:?} along axis {axis} of {:?}", x.shape);
        let mut shape = x.shape.clone();
        shape[axis] = range.len();
        if shape == x.shape {
            return x.clone();
        }
        let from = strides(&x.shape);
        self.moved(x, shape, &from, range.start * from[axis])
    }

    pub(super) fn permuted(&self, x: &Tensor, order: &[usize]) -> Tensor {
        let from = strides(&x.shape);
        let shape: Vec<usize> = order.iter().map(|&axis| x.shape[axis]).collect();
        let from: Vec<usize> = order.iter().map(|&axis| from[axis]).collect();
        self.moved(x, shape, &from, 0)
    }

    /// The array of `shape` whose entries are those of x from `first` on, by strides.
    fn moved(&self, x: &Tensor, shape: Vec<usize>, from: &[usize], first: usize) -> Tensor {
        let storage = self.empty(numel(&shape)).and_then(|output| {
            let move_ = Move { shape: &shape, from, to: &strides(&shape), first: [first, 0] };
            self.move_entries(x, &move_, &output)?;
            Ok(output)
        });
        Tensor { shape, storage }
    }

    pub(super) fn concatenated(&self, list: &[&Tensor], axis: usize) -> Tensor {
        let mut shape = list[0].shape.clone();
        shape[axis] = list.iter().map(|x| x.shape[axis]).sum();
        let to = strides(&shape);
        let storage = self.empty(numel(&shape)).and_then(|output| {
            let mut first = 0;
            for x in list {
                let move_ = Move { shape: &x.shape, from: &strides(&x.shape), to: &to, first: [0, first * to[axis]] };
                self.move_entries(x, &move_, &output)?;
                first += x.shape[axis];
            }
            Ok(output)
        });
        Tensor { shape, storage }
    }

    pub(super) fn move_entries(&self, x: &Tensor, move_: &Move<'_>, output: &super::Buffer) -> crate::Result<()> {
        let axes = merged(move_.shape, [move_.from, move_.to]);
        let entries = numel(move_.shape);
        let mut list = vec![word(entries), word(axes.len()), word(move_.first[0]), word(move_.first[1]), 0];
        list.extend(words(&axes));
        let launch = Launch {
            kernel: &kernels::COPY,
            inputs: &[&x.storage],
            shape: move_.shape,
            words: &list,
            groups: groups(entries),
            work: 1024.0 * TOUCH,
        };
        self.launch_to(&launch, output)
    }
}

/// Where entries come from and where they go.
pub(super) struct Move<'a> {
    pub shape: &'a [usize],
    pub from: &'a [usize],
    pub to: &'a [usize],
    /// Where the first one is, there and there.
    pub first: [usize; 2],
}
