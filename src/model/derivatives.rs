//! Derivatives by parameter: the gradient of a batch and the per-sample Jacobian.

use std::ops::Range;

use super::blocks::{RUN_BLOCK, fold_blocks};
use super::session::Session;
use crate::backend::Arrays;
use crate::error::{Error, Result};
use crate::factor::Factor;
use crate::ops::Op;
use crate::real::Real;
use crate::samples::Samples;
use crate::shape::{blocks, numel, zeros};
use crate::tape::{ParameterInfo, SweepTargets, Tape};

impl<B: Arrays, O: Op> Session<'_, B, O> {
    /// J^T u, the sum over n, c of `u[n,c] grad f_c(x_n)`, by one reverse sweep. `u` is row-major, with one number per
    /// output of each sample. If u is the derivative of a loss in the outputs, the result is the loss's gradient.
    ///
    /// Threads take blocks of samples. The blocks' gradients are added in order, so the sum has the same bits for any
    /// number of threads.
    ///
    /// ```
    /// use tangent_kernels::{Batch, Cpu, Sequential, Session};
    /// let mut model = Sequential::standard(&[2]).linear("d", 1).build()?;
    /// model.set("d.weight", &[1, 2], vec![3.0, 4.0])?;
    /// model.set("d.bias", &[1], vec![0.0])?;
    /// let session = Session::new(&model, Cpu::<f64>::new())?;
    /// let gradient = session.gradient(&Batch::new(&[1.0, 2.0, 10.0, 20.0], &[2, 2])?, &[1.0, 0.5])?;
    /// assert_eq!(gradient.parameter("d.weight")?, [1.0 + 5.0, 2.0 + 10.0]);
    /// assert_eq!(gradient.parameter("d.bias")?, [1.5]);
    /// # Ok::<(), tangent_kernels::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`tape`](Session::tape). `u` does not have one finite number per output of each sample. The device failed.
    pub fn gradient(&self, x: &dyn Samples<B::Number>, u: &[B::Number]) -> Result<Gradient<B::Number>> {
        self.check(x)?;
        self.check_cotangents(x, u)?;
        let mut sums = self.zeros();
        let block_gradients = |range| self.pulled(x, range, u, SweepTargets::PARAMETERS);
        fold_blocks(x.samples(), RUN_BLOCK, block_gradients, |_, block| add(&mut sums, block.parameters))?;
        Ok(Gradient::new(self.model().parameters().to_vec(), sums))
    }

    /// Zeros for all entries of all parameters.
    pub(crate) fn zeros(&self) -> Vec<Vec<B::Number>> {
        self.model().parameters().iter().map(|info| vec![B::Number::default(); numel(&info.shape)]).collect()
    }

    /// # Errors
    /// `u` does not have one finite number per output of each sample.
    pub(crate) fn check_cotangents(&self, x: &dyn Samples<B::Number>, u: &[B::Number]) -> Result<()> {
        let outputs = self.model().outputs();
        if x.samples().checked_mul(outputs) != Some(u.len()) {
            let n = x.samples();
            return Err(Error::shape(format!(
                "got {} cotangents for {n} samples with {outputs} outputs; pass one per output of each sample",
                u.len()
            )));
        }
        match u.iter().position(|u| !u.is_finite()) {
            Some(index) => {
                let n = index / outputs;
                let c = index % outputs;
                let value = u[index];
                Err(Error::value(format!("the cotangent of output {c} of sample {n} is {value}, but must be finite")))
            }
            None => Ok(()),
        }
    }

    /// A reverse sweep over the samples in `range`. Their cotangents are a part of `u`, `[N, C]`.
    pub(crate) fn pulled(
        &self,
        x: &dyn Samples<B::Number>,
        range: Range<usize>,
        u: &[B::Number],
        targets: SweepTargets<'_>,
    ) -> Result<Pulled<B::Number>> {
        let outputs = self.model().outputs();
        let tape = self.tape_of(x, range.clone())?;
        self.swept(&tape, &u[range.start * outputs..range.end * outputs], targets)
    }

    /// As [`pulled`](Session::pulled), with cotangents computed from the outputs.
    pub(crate) fn pulled_by(
        &self,
        x: &dyn Samples<B::Number>,
        range: Range<usize>,
        cotangents: impl FnOnce(Vec<B::Number>) -> Result<Vec<B::Number>>,
        targets: SweepTargets<'_>,
    ) -> Result<Pulled<B::Number>> {
        let tape = self.tape_of(x, range)?;
        let u = cotangents(self.arrays().read(tape.output())?)?;
        self.swept(&tape, &u, targets)
    }

    fn swept(&self, tape: &Tape<'_, B, O>, u: &[B::Number], targets: SweepTargets<'_>) -> Result<Pulled<B::Number>> {
        let arrays = self.arrays();
        let uses = tape.uses()?;
        let seed = arrays.upload(u, arrays.shape(tape.output()));
        let swept = tape.sweep(&seed, targets);
        let gradients = tape.by_parameter(&uses, &swept, Factor::gradient_row);
        Ok(Pulled { parameters: read_all(arrays, &gradients)?, inputs: read_all(arrays, &swept.inputs)? })
    }

    /// J: the per-sample Jacobian of all outputs by parameter, materialised by reverse mode with one sweep per output.
    ///
    /// # Errors
    /// As [`tape`](Session::tape). The rows do not fit in memory, or the device failed.
    pub fn jacobian(&self, x: &dyn Samples<B::Number>) -> Result<Jacobian<B::Number>> {
        self.check(x)?;
        let samples = x.samples();
        let outputs = self.model().outputs();
        let infos = self.model().parameters();
        let mut rows: Vec<Vec<B::Number>> =
            infos.iter().map(|info| zero_rows(info, samples, outputs)).collect::<Result<_>>()?;
        for range in blocks(samples, RUN_BLOCK) {
            let tape = self.tape_of(x, range.clone())?;
            let uses = tape.uses()?;
            for c in 0..outputs {
                let swept = tape.sweep(&tape.unit_seed(c), SweepTargets::PARAMETERS);
                let parts = tape.by_parameter(&uses, &swept, Factor::jacobian);
                for (index, part) in parts.iter().enumerate() {
                    let Some(part) = part else { continue };
                    let size = numel(&infos[index].shape);
                    for (sample, row) in range.clone().zip(self.arrays().read(part)?.chunks_exact(size.max(1))) {
                        rows[index][(sample * outputs + c) * size..][..size].copy_from_slice(row);
                    }
                }
            }
        }
        Ok(Jacobian::new(samples, outputs, infos.to_vec(), rows))
    }
}

/// The result of a reverse sweep over a block of samples. `None` if it was not requested or the output does not depend on it.
pub(crate) struct Pulled<R> {
    /// Gradients, summed over the samples.
    pub parameters: Vec<Option<Vec<R>>>,
    /// Cotangents of the inputs.
    pub inputs: Vec<Option<Vec<R>>>,
}

fn read_all<B: Arrays>(arrays: &B, tensors: &[Option<B::Tensor>]) -> Result<Vec<Option<Vec<B::Number>>>> {
    tensors.iter().map(|tensor| tensor.as_ref().map(|tensor| arrays.read(tensor)).transpose()).collect()
}

/// The Jacobian of one parameter, `[n, C, p]`, before it is computed.
fn zero_rows<R: Real>(info: &ParameterInfo, samples: usize, outputs: usize) -> Result<Vec<R>> {
    let shape = [samples, outputs, numel(&info.shape)];
    let name = &info.name;
    zeros(&shape)
        .ok_or_else(|| Error::memory(format!("the Jacobian of '{name}' with shape {shape:?} does not fit in memory")))
}

/// Adds the gradients of a block.
pub(crate) fn add<R: Real>(sums: &mut [Vec<R>], block: Vec<Option<Vec<R>>>) {
    for (sum, part) in sums.iter_mut().zip(block) {
        sum.iter_mut().zip(part.unwrap_or_default()).for_each(|(sum, x)| *sum += x);
    }
}

/// A derivative for every entry of every parameter.
#[derive(Clone, Debug, PartialEq)]
pub struct Gradient<R> {
    parameters: Vec<ParameterInfo>,
    values: Vec<Vec<R>>,
}

impl<R: Real> Gradient<R> {
    pub(crate) fn new(parameters: Vec<ParameterInfo>, values: Vec<Vec<R>>) -> Self {
        Gradient { parameters, values }
    }

    /// All P derivatives, parameter by parameter in the order of the model.
    pub fn flat(&self) -> Vec<R> {
        self.values.concat()
    }

    /// Every parameter with its derivatives, of the parameter's shape, row-major.
    pub fn iter(&self) -> impl Iterator<Item = (&ParameterInfo, &[R])> {
        self.parameters.iter().zip(self.values.iter().map(Vec::as_slice))
    }

    /// The derivatives in parameter `name`, of the parameter's shape, row-major.
    ///
    /// # Errors
    /// There is no such parameter.
    pub fn parameter(&self, name: &str) -> Result<&[R]> {
        let found = self.iter().find(|(info, _)| info.name == name);
        found.map(|(_, values)| values).ok_or_else(|| Error::name(format!("the model has no parameter '{name}'")))
    }
}

/// The derivative of every output of every sample in every parameter.
#[derive(Clone, Debug, PartialEq)]
pub struct Jacobian<R> {
    samples: usize,
    outputs: usize,
    rows: Gradient<R>,
}

impl<R: Real> Jacobian<R> {
    pub(crate) fn new(samples: usize, outputs: usize, parameters: Vec<ParameterInfo>, rows: Vec<Vec<R>>) -> Self {
        Jacobian { samples, outputs, rows: Gradient::new(parameters, rows) }
    }

    /// n, the number of samples.
    pub fn samples(&self) -> usize {
        self.samples
    }

    /// C, the number of outputs.
    pub fn outputs(&self) -> usize {
        self.outputs
    }

    /// Every parameter with its derivatives, `[n, C, the parameter's shape]`, row-major.
    pub fn iter(&self) -> impl Iterator<Item = (&ParameterInfo, &[R])> {
        self.rows.iter()
    }

    /// The derivatives in parameter `name`, `[n, C, the parameter's shape]`, row-major.
    ///
    /// # Errors
    /// There is no such parameter.
    pub fn parameter(&self, name: &str) -> Result<&[R]> {
        self.rows.parameter(name)
    }
}
