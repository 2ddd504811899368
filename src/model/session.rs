//! A model on a backend.

use std::ops::Range;

use rayon::prelude::*;

use super::Model;
use crate::backend::Arrays;
use crate::batch::Batch;
use crate::error::{Error, Result};
use crate::ops::{Builtin, Op};
use crate::real::Real;
use crate::tape::Tape;

/// A model whose parameters are on a backend: runs, gradients, Jacobians and kernels start here.
///
/// ```
/// use tangent_kernels::{Batch, Cpu, Parameterisation, Sequential, Session, unary::Tanh};
///
/// let mut model = Sequential::mlp(&[2, 3, 1], Tanh, false, Parameterisation::Standard)?;
/// model.set("d1.weight", &[3, 2], vec![0.1, 0.2, 0.3, 0.4, 0.5, 0.6])?;
/// model.set("d2.weight", &[1, 3], vec![1.0, -1.0, 1.0])?;
/// let session = Session::new(&model, Cpu::<f64>::new())?;
/// let f = session.run(&Batch::new(&[1.0, 0.0], &[1, 2])?)?;
/// assert_eq!(f, [0.1f64.tanh() - 0.3f64.tanh() + 0.5f64.tanh()]);
/// # Ok::<(), tangent_kernels::Error>(())
/// ```
pub struct Session<'m, B: Arrays, O: Op = Builtin> {
    model: &'m Model<O>,
    arrays: B,
    parameters: Vec<B::Tensor>,
}

/// Samples are run in blocks of at most this many: the values of a block then stay in cache.
pub(super) const RUN_BLOCK: usize = 512;

impl<'m, B: Arrays, O: Op> Session<'m, B, O> {
    /// Uploads the parameters of `model` to `arrays`.
    ///
    /// # Errors
    /// A parameter has no values, or one that is not finite as a number of the backend.
    pub fn new(model: &'m Model<O>, arrays: B) -> Result<Self> {
        let mut parameters = Vec::new();
        for (info, values) in model.valued_parameters()? {
            let numbers: Vec<B::Number> = values.iter().map(|&x| B::Number::of(x)).collect();
            if let Some(at) = numbers.iter().position(|x| !x.is_finite()) {
                return Err(Error::value(format!(
                    "parameter '{}' is {:e} at entry {at}, which {} cannot hold",
                    info.name,
                    values[at],
                    B::Number::NAME
                )));
            }
            parameters.push(arrays.upload(&numbers, &info.shape));
        }
        Ok(Session { model, arrays, parameters })
    }

    /// The model.
    pub fn model(&self) -> &'m Model<O> {
        self.model
    }

    /// The backend.
    pub fn arrays(&self) -> &B {
        &self.arrays
    }

    /// The parameters on the backend, in the order of the model.
    pub fn parameters(&self) -> &[B::Tensor] {
        &self.parameters
    }

    /// Runs the model on `x` and keeps every value: the start of reverse sweeps of your own.
    ///
    /// # Errors
    /// The samples have another shape than the model's input, or a number is NaN or infinite.
    pub fn tape(&self, x: &Batch<'_, B::Number>) -> Result<Tape<'_, B, O>> {
        self.check(x)?;
        Ok(self.tape_of(x))
    }

    /// f(x), \[n, C\] row-major.
    ///
    /// # Errors
    /// As [`tape`](Session::tape), or the device failed.
    pub fn run(&self, x: &Batch<'_, B::Number>) -> Result<Vec<B::Number>> {
        self.check(x)?;
        let blocks = blocks(x.samples(), RUN_BLOCK);
        let parts: Result<Vec<_>> =
            blocks.into_par_iter().map(|range| self.arrays.read(self.tape_of(&x.rows(range)).output())).collect();
        Ok(parts?.concat())
    }

    pub(crate) fn check(&self, x: &Batch<'_, B::Number>) -> Result<()> {
        if x.sample_shape() != self.model.input_shape() {
            return Err(Error::shape(format!(
                "the model takes samples of shape {:?}, but the batch has shape {:?}, samples of {:?}",
                self.model.input_shape(),
                x.shape(),
                x.sample_shape()
            )));
        }
        x.check_finite()
    }

    /// As [`tape`](Session::tape), of samples that were checked.
    pub(crate) fn tape_of(&self, x: &Batch<'_, B::Number>) -> Tape<'_, B, O> {
        let input = self.arrays.upload(x.as_slice(), x.shape());
        Tape::run(self.model.graph(), self.model.output(), &self.arrays, &self.parameters, input)
    }
}

/// `samples` in blocks of `size`, the last one smaller.
pub(crate) fn blocks(samples: usize, size: usize) -> Vec<Range<usize>> {
    (0..samples).step_by(size.max(1)).map(|start| start..samples.min(start + size)).collect()
}
