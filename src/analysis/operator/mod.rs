//! Kernels, Fisher matrices and Hessians as what they do to a vector, without a matrix.
//!
//! With J the Jacobian of all outputs of N samples, \[N C, P\], and l(f, y) a loss:
//!
//! | operator | is | of size |
//! |---|---|---|
//! | [`NtkOperator`] | J J^T | N C |
//! | [`Fisher`] | (1/N) J^T J | P |
//! | [`GaussNewton`] | (1/N) J^T (d^2 l / df^2) J | P |
//! | [`Hessian`] | the second derivative of (1/N) sum l(f(x_n), y_n) | P |
//!
//! Each is of all parameters, or of those that [`Operators::parameters`] names, such as a layer. A product takes two passes
//! over the samples, in blocks that memory has room for; nothing of size N C x N C or P x P is ever there. Vectors are in
//! `f64`; products are computed in the precision of the session's backend, which [`Operator::precision`] tells, and are the
//! same to the bit for any number of threads.
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
pub use ntk::{Fisher, NtkOperator};

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

/// A symmetric matrix that is known by its products.
pub trait Operator: Sync {
    /// The number of rows, and of columns.
    fn size(&self) -> usize;

    /// A x, for a vector of [`size`](Operator::size) numbers.
    ///
    /// # Errors
    /// `x` has another length; what the operator is made of failed.
    fn apply(&self, x: &[f64]) -> Result<Vec<f64>>;

    /// The machine epsilon of the arithmetic that products are computed in: no solver can do better.
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
/// `x` is no vector of `size` finite numbers.
pub(crate) fn check_vector(x: &[f64], size: usize) -> Result<()> {
    if x.len() != size {
        return Err(Error::shape(format!("a vector of {} numbers for an operator of size {size}", x.len())));
    }
    match x.iter().position(|x| !x.is_finite()) {
        Some(at) => Err(Error::value(format!("the vector is {} at entry {at}", x[at]))),
        None => Ok(()),
    }
}

/// A model and samples, of which operators are made.
pub struct Operators<'a, B: Gram, O: Op> {
    session: &'a Session<'a, B, O>,
    x: &'a dyn Samples<B::Number>,
    wanted: Vec<bool>,
    /// Samples in a pass.
    block: usize,
    budget: Option<u64>,
}

impl<'a, B: Gram, O: Op> Operators<'a, B, O> {
    /// The operators of all parameters.
    ///
    /// # Errors
    /// The samples are not such as the model takes, or depend on each other.
    pub fn new(session: &'a Session<'a, B, O>, x: &'a dyn Samples<B::Number>) -> Result<Self> {
        session.check(x)?;
        session.independence_check(x)?;
        let wanted = vec![true; session.model().parameters().len()];
        Operators { session, x, wanted, block: 1, budget: None }.planned()
    }

    /// Of the parameters whose names fit one of the patterns only; `*` stands for any letters.
    ///
    /// # Errors
    /// A pattern fits no name.
    pub fn parameters<S: AsRef<str>>(mut self, patterns: &[S]) -> Result<Self> {
        self.wanted = matching(self.session.model().parameters(), patterns)?;
        self.planned()
    }

    /// The most bytes that a product may use beside the samples and vectors, over all threads.
    ///
    /// # Errors
    /// A pass over one sample takes more.
    pub fn memory_budget(mut self, bytes: u64) -> Result<Self> {
        self.budget = Some(bytes);
        self.planned()
    }

    fn planned(mut self) -> Result<Self> {
        let tile_config = self.session.arrays().tile_config();
        self.block = pass_samples::<B::Number, O>(self.session.model(), &tile_config, &self.wanted, self.budget)?;
        Ok(self)
    }

    /// N C, the rows of J.
    pub fn rows(&self) -> usize {
        self.x.samples() * self.session.model().outputs()
    }

    /// The columns of J: the entries of the chosen parameters.
    pub fn columns(&self) -> usize {
        let infos = self.session.model().parameters().iter().zip(&self.wanted);
        infos.filter(|(_, wanted)| **wanted).map(|(info, _)| numel(&info.shape)).sum()
    }

    /// J J^T, the kernel of all outputs: row n C + c is output c of sample n.
    pub fn ntk(&self) -> NtkOperator<'_, B, O> {
        NtkOperator(self)
    }

    /// (1/N) J^T J: the Fisher matrix of a model whose outputs are means of normal distributions of variance 1.
    pub fn fisher(&self) -> Fisher<'_, B, O> {
        Fisher(self)
    }

    /// The generalised Gauss-Newton matrix of a loss.
    ///
    /// # Errors
    /// The loss is not one for these samples.
    pub fn gauss_newton(&self, loss: Loss<'a>) -> Result<GaussNewton<'_, B, O>> {
        loss.check(self.x.samples(), self.session.model().outputs())?;
        Ok(GaussNewton { operators: self, loss })
    }

    /// The Hessian of the mean of a loss.
    ///
    /// # Errors
    /// The loss is not one for these samples.
    pub fn hessian(&self, loss: Loss<'a>) -> Result<Hessian<'_, B, O>> {
        loss.check(self.x.samples(), self.session.model().outputs())?;
        Ok(Hessian { operators: self, loss })
    }

    fn precision(&self) -> f64 {
        B::Number::EPSILON.f64()
    }
}
