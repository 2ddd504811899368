//! An adapter that passes operators to faer's matrix-free solvers.
//!
//! It uses types of faer 0.24. No other part of the public API does.
//!
//! ```
//! use faer::dyn_stack::{MemBuffer, MemStack};
//! use faer::matrix_free::IdentityPrecond;
//! use faer::matrix_free::conjugate_gradient::{CgParams, conjugate_gradient, conjugate_gradient_scratch};
//! use faer::{Mat, Par};
//! use tangent_kernels::Matrix;
//! use tangent_kernels::analysis::operator::Dense;
//! use tangent_kernels::analysis::solve::faer_adapter::FaerOperator;
//! let kernel = Matrix::from_vec(1, 2, 2, vec![2.0f64, 1.0, 1.0, 2.0])?;
//! let dense = Dense::new(&kernel)?;
//! let operator = FaerOperator::new(&dense);
//! let b = Mat::full(2, 1, 3.0);
//! let mut x = Mat::zeros(2, 1);
//! let parameters = CgParams { max_iters: 100, ..CgParams::default() };
//! let none = IdentityPrecond { dim: 2 };
//! let mut memory = MemBuffer::new(conjugate_gradient_scratch(none, &operator, 1, Par::Seq));
//! let stack = MemStack::new(&mut memory);
//! let solved = conjugate_gradient(x.as_mut(), none, &operator, b.as_ref(), parameters, |_| {}, Par::Seq, stack);
//! operator.outcome()?; // errors of the operator come first
//! assert!(solved.is_ok() && (x[(0, 0)] - 1.0).abs() < 1e-12);
//! # Ok::<(), tangent_kernels::Error>(())
//! ```

use std::fmt;
use std::sync::{Mutex, PoisonError};

use faer::dyn_stack::{MemStack, StackReq};
use faer::matrix_free::{BiLinOp, LinOp};
use faer::{MatMut, MatRef, Par};

use super::vectors::product;
use crate::analysis::operator::Operator;
use crate::error::{Error, Result};

/// An [`Operator`] as faer's [`LinOp`] and [`BiLinOp`]. It is real and symmetric, so it equals its conjugate, transpose and
/// adjoint.
///
/// faer's products cannot fail. After an error of the operator, all products are NaN, so that results cannot be mistaken for
/// valid ones. [`outcome`](FaerOperator::outcome) returns the error. Set a limit of iterations in faer, since some of its
/// solvers do not stop on NaN.
pub struct FaerOperator<'a> {
    operator: &'a dyn Operator,
    failed: Mutex<Option<Error>>,
}

impl<'a> FaerOperator<'a> {
    /// An adapter for `operator`.
    pub fn new(operator: &'a dyn Operator) -> Self {
        FaerOperator { operator, failed: Mutex::new(None) }
    }

    /// The state of the operator. Call it after a solver has returned.
    ///
    /// # Errors
    /// The first error of the operator. All results of the solver are then invalid. Create a new adapter to try again.
    pub fn outcome(&self) -> Result<()> {
        self.failed.lock().unwrap_or_else(PoisonError::into_inner).clone().map_or(Ok(()), Err)
    }

    fn column(&self, x: &[f64]) -> Result<Vec<f64>> {
        self.outcome()?;
        product(self.operator, x)
    }

    fn products(&self, mut out: MatMut<'_, f64>, rhs: MatRef<'_, f64>) {
        for j in 0..rhs.ncols() {
            let x: Vec<f64> = rhs.col(j).iter().copied().collect();
            let y = self.column(&x).unwrap_or_else(|error| {
                self.failed.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error);
                vec![f64::NAN; x.len()]
            });
            out.as_mut().col_mut(j).iter_mut().zip(y).for_each(|(out, y)| *out = y);
        }
    }
}

impl fmt::Debug for FaerOperator<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FaerOperator").field("size", &self.operator.size()).field("outcome", &self.outcome()).finish()
    }
}

impl LinOp<f64> for FaerOperator<'_> {
    fn apply_scratch(&self, _: usize, _: Par) -> StackReq {
        StackReq::EMPTY
    }

    fn nrows(&self) -> usize {
        self.operator.size()
    }

    fn ncols(&self) -> usize {
        self.operator.size()
    }

    fn apply(&self, out: MatMut<'_, f64>, rhs: MatRef<'_, f64>, _: Par, _: &mut MemStack) {
        self.products(out, rhs);
    }

    fn conj_apply(&self, out: MatMut<'_, f64>, rhs: MatRef<'_, f64>, _: Par, _: &mut MemStack) {
        self.products(out, rhs);
    }
}

impl BiLinOp<f64> for FaerOperator<'_> {
    fn transpose_apply_scratch(&self, _: usize, _: Par) -> StackReq {
        StackReq::EMPTY
    }

    fn transpose_apply(&self, out: MatMut<'_, f64>, rhs: MatRef<'_, f64>, _: Par, _: &mut MemStack) {
        self.products(out, rhs);
    }

    fn adjoint_apply(&self, out: MatMut<'_, f64>, rhs: MatRef<'_, f64>, _: Par, _: &mut MemStack) {
        self.products(out, rhs);
    }
}
