//! Training with the library's own gradients: losses and optimisers.
//!
//! A training loop creates a session, computes a gradient and makes a step:
//!
//! ```
//! use tangent_kernels::train::{Adam, Optimiser};
//! use tangent_kernels::{Batch, Cpu, Loss, Sequential, Session, unary::Tanh};
//! # fn main() -> tangent_kernels::Result<()> {
//! let mut model = Sequential::standard(&[2]).mlp(&[8, 1], Tanh).build()?;
//! # for (seed, info) in model.parameters().to_vec().into_iter().enumerate() {
//! #     let count = info.shape.iter().product::<usize>();
//! #     let values = (0..count).map(|k| (7.0 * k as f64 + seed as f64 + 1.0).sin()).collect();
//! #     model.set(&info.name, &info.shape, values)?;
//! # }
//! let x = [0.0, 0.0, 0.0, 1.0, 1.0, 0.0, 1.0, 1.0];
//! let x = Batch::new(&x, &[4, 2])?;
//! let y = [-1.0, 1.0, 1.0, -1.0];
//!
//! let mut adam = Adam::new(0.05);
//! for _ in 0..300 {
//!     let session = Session::new(&model, Cpu::<f64>::new())?;
//!     let (loss, gradient) = session.loss_gradient(&x, Loss::Logistic(&y))?;
//!     adam.step(&mut model, &gradient)?;
//! #   let _ = loss;
//! }
//! let f = Session::new(&model, Cpu::<f64>::new())?.run(&x)?;
//! assert_eq!(f.iter().map(|f| *f > 0.0).collect::<Vec<_>>(), [false, true, true, false]);
//! # Ok(())
//! # }
//! ```
//!
//! Parameters are stored and updated in `f64`, for any precision of the session. A loss can also be recorded in the graph
//! as an op of outputs and targets: [`SquaredError`](crate::ops::SquaredError), [`CrossEntropy`](crate::ops::CrossEntropy)
//! or [`BinaryCrossEntropy`](crate::ops::BinaryCrossEntropy). Its gradient is then [`Session::gradient`], as for any other
//! output.

mod adam;
mod gradient_descent;
mod loss;
#[cfg(feature = "rand")]
mod minibatches;

pub use adam::Adam;
pub use gradient_descent::GradientDescent;
pub use loss::Loss;
#[cfg(feature = "rand")]
pub use minibatches::minibatches;

use std::ops::Range;

use crate::backend::Arrays;
use crate::error::{Error, Result};
use crate::model::blocks::{RUN_BLOCK, fold_blocks};
use crate::model::{Gradient, Model, Session, add};
use crate::ops::Op;
use crate::real::Real;
use crate::samples::Samples;
use crate::tape::SweepTargets;

/// An optimiser updates the parameters of a model from the gradient of a loss.
pub trait Optimiser {
    /// Updates all parameters of `model` by one step along the negative `gradient`.
    ///
    /// # Errors
    /// The gradient belongs to another model, or a parameter would become NaN or infinite. In this case the loss diverges,
    /// and a smaller rate may help. The model does not change.
    fn step<R: Real, O: Op>(&mut self, model: &mut Model<O>, gradient: &Gradient<R>) -> Result<()>;
}

impl<B: Arrays, O: Op> Session<'_, B, O> {
    /// The mean loss of the samples, (1/N) sum over n of l(f(x_n), y_n), and its gradient, by one run and one reverse sweep.
    ///
    /// Losses are computed and added in f64, the gradient in the precision of the backend. Threads take blocks of samples.
    /// The blocks' results are added in order, so both have the same bits for any number of threads.
    ///
    /// # Errors
    /// As [`gradient`](Session::gradient). There are no samples. The targets do not fit the samples. An output is not finite.
    pub fn loss_gradient(&self, x: &dyn Samples<B::Number>, loss: Loss<'_>) -> Result<(f64, Gradient<B::Number>)> {
        self.check(x)?;
        let samples = x.samples();
        let outputs = self.model().outputs();
        if samples == 0 {
            return Err(Error::shape("the mean loss needs at least one sample, but the batch is empty"));
        }
        loss.check(samples, outputs)?;
        let mut sums = self.zeros();
        let mut total = 0.0;
        let block = |range| self.loss_block(x, range, loss);
        fold_blocks(samples, RUN_BLOCK, block, |_, LossBlock { sum, gradient }| {
            total += sum;
            add(&mut sums, gradient);
        })?;
        Ok((total / samples as f64, Gradient::new(self.model().parameters().to_vec(), sums)))
    }

    /// The sum of the losses of the samples in `range`, and its part of the mean loss's gradient.
    fn loss_block(
        &self,
        x: &dyn Samples<B::Number>,
        range: Range<usize>,
        loss: Loss<'_>,
    ) -> Result<LossBlock<B::Number>> {
        let outputs = self.model().outputs();
        let count = x.samples() as f64;
        let mut sum = 0.0;
        let seed = |f: Vec<B::Number>| {
            let f: Vec<f64> = f.into_iter().map(Real::f64).collect();
            check_outputs(&f, outputs, range.start)?;
            sum = loss.values(range.clone(), &f, outputs).iter().sum();
            let slopes = loss.slope(range.clone(), &f, outputs).into_iter();
            Ok(slopes.map(|slope| B::Number::from_f64(slope / count)).collect())
        };
        let pulled = self.pulled_by(x, range.clone(), seed, SweepTargets::PARAMETERS)?;
        Ok(LossBlock { sum, gradient: pulled.parameters })
    }
}

/// The sum of a block's losses, and its part of the gradient by parameter.
struct LossBlock<R> {
    sum: f64,
    gradient: Vec<Option<Vec<R>>>,
}

/// # Errors
/// An output is not finite.
fn check_outputs(f: &[f64], outputs: usize, first: usize) -> Result<()> {
    let Some(index) = f.iter().position(|f| !f.is_finite()) else { return Ok(()) };
    let n = first + index / outputs;
    let c = index % outputs;
    let value = f[index];
    Err(Error::value(format!("output {c} of sample {n} is {value}, so the loss is undefined; a smaller rate may help")))
}

/// One entry of a parameter in an optimiser's step.
struct Entry {
    /// The index of the parameter.
    parameter: usize,
    /// The index of the entry in the parameter.
    index: usize,
    value: f64,
    slope: f64,
}

/// Sets every entry of every parameter to its `step`.
fn update<R: Real, O: Op>(
    model: &mut Model<O>,
    gradient: &Gradient<R>,
    mut step: impl FnMut(Entry) -> f64,
) -> Result<()> {
    if !gradient.iter().map(|(info, _)| info).eq(model.parameters()) {
        return Err(Error::shape("the gradient belongs to another model: its parameters have other names or shapes"));
    }
    let mut updated = Vec::with_capacity(model.parameters().len());
    for (parameter, ((info, values), (_, slopes))) in
        model.valued_parameters()?.into_iter().zip(gradient.iter()).enumerate()
    {
        let entries = values.iter().zip(slopes).enumerate();
        let entries = entries.map(|(index, (&value, slope))| Entry { parameter, index, value, slope: slope.f64() });
        let new: Vec<f64> = entries.map(&mut step).collect();
        if let Some(index) = new.iter().position(|x| !x.is_finite()) {
            return Err(Error::value(format!(
                "the loss diverges: the step would set parameter '{}' to {} at entry {index}; a smaller rate may help",
                info.name, new[index]
            )));
        }
        updated.push(new);
    }
    model.replace(updated);
    Ok(())
}

/// Initialises an empty optimiser `state` with zeros, one per entry of every parameter of `gradient`.
///
/// # Errors
/// It is the state of another model.
fn check_state<R: Real>(state: &mut Vec<Vec<f64>>, gradient: &Gradient<R>) -> Result<()> {
    let sizes = || gradient.iter().map(|(_, slopes)| slopes.len());
    if state.is_empty() {
        *state = sizes().map(|size| vec![0.0; size]).collect();
    }
    if !state.iter().map(Vec::len).eq(sizes()) {
        return Err(Error::shape(
            "the optimiser was used with another model, whose parameters have other sizes; create a new one",
        ));
    }
    Ok(())
}
