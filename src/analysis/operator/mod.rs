//! Kernels, Fisher matrices and Hessians as operators: products with a vector, without a stored matrix.
//!
//! With J the Jacobian of all outputs of N samples, `[N C, P]`, and l(f, y) a loss:
//!
//! | operator | matrix | size |
//! |---|---|---|
//! | [`NtkOperator`] | J J^T | N C |
//! | [`FisherOperator`] | (1/N) J^T J | P |
//! | [`GaussNewton`] | (1/N) J^T (d^2 l / df^2) J | P |
//! | [`Hessian`] | the second derivative of (1/N) sum l(f(x_n), y_n) | P |
//!
//! An operator covers all parameters, or those chosen by [`Operators::parameters`], such as a layer. A product takes two
//! passes over the samples, in blocks that fit in memory. Nothing of size N C x N C or P x P is stored. Vectors are in
//! `f64`. Products are computed in the precision of the session's backend ([`Operator::precision`]), and have the same bits
//! for any number of threads.
//!
//! ```
//! use tangent_kernels::analysis::operator::{Operator, Operators};
//! use tangent_kernels::{Batch, Cpu, Sequential, Session, unary::Tanh};
//! let mut model = Sequential::standard(&[2]).mlp_without_bias(&[3, 1], Tanh).build()?;
//! # model.set("d1.weight", &[3, 2], vec![0.1, 0.2, 0.3, 0.4, 0.5, 0.6])?;
//! # model.set("d2.weight", &[1, 3], vec![1.0, -1.0, 1.0])?;
//! let session = Session::new(&model, Cpu::<f64>::new())?;
//! let x = [1.0, 0.0, 0.5, -0.5];
//! let x = Batch::new(&x, &[2, 2])?;
//! let operators = Operators::new(&session, &x)?;
//! let product = operators.ntk().apply(&[1.0, 0.0])?; // the first column of K
//! let kernel = session.ntk().compute(&x)?;
//! assert!((product[1] - kernel.total()[(1, 0)]).abs() < 1e-14);
//! # Ok::<(), tangent_kernels::Error>(())
//! ```

mod dense;
mod hessian;
mod ntk;
mod products;

pub use dense::Dense;
pub use hessian::{GaussNewton, Hessian};
pub use ntk::{FisherOperator, NtkOperator};

use crate::backend::Gram;
use crate::error::{Error, Result};
use crate::kernel::pass_samples;
use crate::model::Session;
use crate::ops::Op;
use crate::pattern::matching;
use crate::real::Real;
use crate::samples::Samples;
use crate::shape::numel;
use crate::train::Loss;

/// A symmetric matrix that is represented by its products.
pub trait Operator: Sync {
    /// The number of rows, and of columns.
    fn size(&self) -> usize;

    /// A x, for a vector of [`size`](Operator::size) numbers.
    ///
    /// # Errors
    /// `x` has another length, or the computation of the product failed.
    fn apply(&self, x: &[f64]) -> Result<Vec<f64>>;

    /// The machine epsilon of the arithmetic of products. It limits the accuracy of all solvers.
    fn precision(&self) -> f64 {
        f64::EPSILON
    }
}

impl<T: Operator + ?Sized> Operator for &T {
    fn size(&self) -> usize {
        (**self).size()
    }
    fn apply(&self, x: &[f64]) -> Result<Vec<f64>> {
        (**self).apply(x)
    }
    fn precision(&self) -> f64 {
        (**self).precision()
    }
}

/// # Errors
/// `x` does not have `size` finite numbers.
pub(crate) fn check_vector(x: &[f64], size: usize) -> Result<()> {
    if x.len() != size {
        let given = x.len();
        return Err(Error::shape(format!(
            "an operator of size {size} needs a vector of this length, got {given} numbers"
        )));
    }
    match x.iter().position(|x| !x.is_finite()) {
        Some(entry) => Err(Error::value(format!("entry {entry} of the vector is {}, but must be finite", x[entry]))),
        None => Ok(()),
    }
}

/// A model and samples, from which operators are created.
pub struct Operators<'a, B: Gram, O: Op> {
    session: &'a Session<'a, B, O>,
    x: &'a dyn Samples<B::Number>,
    /// For every parameter, whether the operators cover it.
    chosen: Vec<bool>,
    /// The number of samples in a pass.
    block: usize,
    budget: Option<u64>,
}

impl<'a, B: Gram, O: Op> Operators<'a, B, O> {
    /// Operators of all parameters.
    ///
    /// # Errors
    /// The samples do not fit the model, or they depend on each other.
    pub fn new(session: &'a Session<'a, B, O>, x: &'a dyn Samples<B::Number>) -> Result<Self> {
        session.check(x)?;
        session.independence_check(x)?;
        let chosen = vec![true; session.model().parameters().len()];
        Operators { session, x, chosen, block: 1, budget: None }.planned()
    }

    /// Restricts the operators to parameters whose names match one of the patterns. `*` matches any characters.
    ///
    /// # Errors
    /// A pattern matches no name.
    pub fn parameters<S: AsRef<str>>(mut self, patterns: &[S]) -> Result<Self> {
        self.chosen = matching(self.session.model().parameters(), patterns)?;
        self.planned()
    }

    /// Limits the memory of a product, in bytes over all threads, in addition to the samples and vectors.
    ///
    /// # Errors
    /// A pass over one sample needs more.
    pub fn memory_budget(mut self, bytes: u64) -> Result<Self> {
        self.budget = Some(bytes);
        self.planned()
    }

    fn planned(mut self) -> Result<Self> {
        let tile_config = self.session.arrays().tile_config();
        self.block = pass_samples::<B::Number, O>(self.session.model(), &tile_config, &self.chosen, self.budget)?;
        Ok(self)
    }

    /// N C, the number of rows of J.
    pub fn rows(&self) -> usize {
        self.x.samples() * self.session.model().outputs()
    }

    /// The number of columns of J, which is the number of entries of the chosen parameters.
    pub fn columns(&self) -> usize {
        let infos = self.session.model().parameters().iter().zip(&self.chosen);
        infos.filter(|(_, chosen)| **chosen).map(|(info, _)| numel(&info.shape)).sum()
    }

    /// J J^T, the kernel of all outputs. Row n C + c belongs to output c of sample n.
    pub fn ntk(&self) -> NtkOperator<'_, B, O> {
        NtkOperator(self)
    }

    /// (1/N) J^T J, the Fisher matrix of a model whose outputs are means of normal distributions of variance 1.
    pub fn fisher(&self) -> FisherOperator<'_, B, O> {
        FisherOperator(self)
    }

    /// The generalised Gauss-Newton matrix of a loss.
    ///
    /// # Errors
    /// The targets of the loss do not fit the samples.
    pub fn gauss_newton(&self, loss: Loss<'a>) -> Result<GaussNewton<'_, B, O>> {
        loss.check(self.x.samples(), self.session.model().outputs())?;
        Ok(GaussNewton { operators: self, loss })
    }

    /// The Hessian of the mean of a loss.
    ///
    /// # Errors
    /// The targets of the loss do not fit the samples.
    pub fn hessian(&self, loss: Loss<'a>) -> Result<Hessian<'_, B, O>> {
        loss.check(self.x.samples(), self.session.model().outputs())?;
        Ok(Hessian { operators: self, loss })
    }

    fn precision(&self) -> f64 {
        B::Number::EPSILON.f64()
    }
}
