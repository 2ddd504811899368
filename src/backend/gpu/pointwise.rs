use super::kernels::{self, Kernel};
use super::launch::{Launch, TOUCH, groups, param};
use super::layout::{axis_params, merged};
use super::{Gpu, Tensor, functions};
use crate::backend::{Pointwise, Relation};
use crate::shape::{broadcast, broadcast_strides, numel};
use crate::unary::{Order, Unary};

/// The cost of an accurate function for one entry, in operations.
const FUNCTION: f64 = 60.0;

impl Pointwise for Gpu {
    fn affine(&self, x: &Tensor, a: f64, b: f64) -> Tensor {
        self.map(&kernels::AFFINE, &[x], &[(a as f32).to_bits(), (b as f32).to_bits()], TOUCH)
    }
    fn add(&self, x: &Tensor, y: &Tensor) -> Tensor {
        self.zip(&kernels::ADD, x, y)
    }
    fn mul(&self, x: &Tensor, y: &Tensor) -> Tensor {
        self.zip(&kernels::MUL, x, y)
    }
    fn apply(&self, f: Unary, x: &Tensor) -> Tensor {
        match functions::formula(f) {
            Ok(formula) => self.map(&kernels::apply(&formula), &[x], &formula.params(), FUNCTION),
            Err(error) => Tensor { shape: x.shape.clone(), allocation: Err(error) },
        }
    }
    fn apply_derivative(&self, f: Unary, order: Order, x: &Tensor, y: &Tensor, g: &Tensor) -> Tensor {
        assert_eq!(x.shape, g.shape, "x and g have different shapes");
        match functions::formula(f) {
            Ok(formula) => {
                let kernel = kernels::apply_derivative(&formula, order);
                self.map(&kernel, &[x, y, g], &formula.params(), FUNCTION)
            }
            Err(error) => Tensor { shape: x.shape.clone(), allocation: Err(error) },
        }
    }
    fn compare(&self, relation: Relation, x: &Tensor, y: &Tensor) -> Tensor {
        let number = match relation {
            Relation::Equal => 0,
            Relation::Less => 1,
            Relation::LessOrEqual => 2,
        };
        self.zip_with(&kernels::COMPARE, number, x, y)
    }
    fn select(&self, mask: &Tensor, x: &Tensor, y: &Tensor) -> Tensor {
        let shape = broadcast(&x.shape, &y.shape).and_then(|shape| broadcast(&mask.shape, &shape));
        let shape = shape
            .unwrap_or_else(|| panic!("shapes {:?}, {:?} and {:?} do not broadcast", mask.shape, x.shape, y.shape));
        let [mask, x, y] = [mask, x, y].map(|array| self.stretched(array, &shape));
        self.map(&kernels::SELECT, &[&mask, &x, &y], &[], TOUCH)
    }
}

impl Gpu {
    /// Runs a kernel that maps arrays of one shape to an array of the same shape. `work` is the cost of an entry.
    fn map(&self, kernel: &Kernel, inputs: &[&Tensor], params: &[u32], work: f64) -> Tensor {
        let shape = &inputs[0].shape;
        let entries = numel(shape);
        let inputs: Vec<_> = inputs.iter().map(|x| &x.allocation).collect();
        self.launch(Launch {
            kernel,
            inputs: &inputs,
            shape,
            params: &[&[param(entries)], params].concat(),
            groups: groups(entries),
            work: 1024.0 * work,
        })
    }

    /// Runs a kernel of two arrays, broadcast.
    pub(super) fn zip(&self, kernel: &Kernel, x: &Tensor, y: &Tensor) -> Tensor {
        self.zip_with(kernel, 0, x, y)
    }

    /// Runs a kernel of two arrays, broadcast, with a param of its own.
    fn zip_with(&self, kernel: &Kernel, own_param: u32, x: &Tensor, y: &Tensor) -> Tensor {
        let shape = broadcast(&x.shape, &y.shape)
            .unwrap_or_else(|| panic!("shapes {:?} and {:?} do not broadcast", x.shape, y.shape));
        let axes = merged(&shape, [&broadcast_strides(&x.shape, &shape), &broadcast_strides(&y.shape, &shape)]);
        let entries = numel(&shape);
        let mut params = vec![param(entries), param(axes.len()), own_param, 0, 0];
        params.extend(axis_params(&axes));
        self.launch(Launch {
            kernel,
            inputs: &[&x.allocation, &y.allocation],
            shape: &shape,
            params: &params,
            groups: groups(entries),
            work: 1024.0 * TOUCH,
        })
    }

    /// `x` broadcast to `shape`.
    fn stretched(&self, x: &Tensor, shape: &[usize]) -> Tensor {
        if x.shape == shape {
            return x.clone();
        }
        self.strided_copy(x, shape.to_vec(), &broadcast_strides(&x.shape, shape), 0)
    }
}
