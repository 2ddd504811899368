//! Derivatives by parameter: the gradient of a batch, and the per-sample Jacobian.

use std::ops::Range;

use super::blocks::{RUN_BLOCK, folded};
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
    /// J^T u: sum over n, c of u\[n,c\] grad f_c(x_n), by one reverse sweep; `u` is row-major, one number for each output
    /// of each sample. With u the derivative of a loss at the outputs it is the loss's gradient.
    ///
    /// Threads take blocks of samples, whose gradients are added in their order, so the sum is the same to the bit for
    /// any number of threads.
    ///
    /// ```
    /// use tangent_kernels::{Batch, Cpu, Parameterisation, Sequential, Session};
    /// let mut model = Sequential::new(&[2], Parameterisation::Standard).linear("d", 1).build()?;
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
    /// As [`tape`](Session::tape); `u` is not one finite number for each output of each sample; the device failed.
    pub fn gradient(&self, x: &dyn Samples<B::Number>, u: &[B::Number]) -> Result<Gradient<B::Number>> {
        self.check(x)?;
        self.check_cotangents(x, u)?;
        let mut sums = self.zeros();
        let of_block = |range| self.pulled(x, range, u, SweepTargets::PARAMETERS);
        folded(x.samples(), RUN_BLOCK, of_block, |_, block| add(&mut sums, block.parameters))?;
        Ok(Gradient::new(self.model().parameters().to_vec(), sums))
    }

    /// A zero for every entry of every parameter.
    pub(crate) fn zeros(&self) -> Vec<Vec<B::Number>> {
        self.model().parameters().iter().map(|info| vec![B::Number::default(); numel(&info.shape)]).collect()
    }

    /// # Errors
    /// `u` is not one finite number for each output of each sample.
    pub(crate) fn check_cotangents(&self, x: &dyn Samples<B::Number>, u: &[B::Number]) -> Result<()> {
        let outputs = self.model().outputs();
        if x.samples().checked_mul(outputs) != Some(u.len()) {
            let n = x.samples();
            return Err(Error::shape(format!("{} cotangents for {n} samples of {outputs} outputs", u.len())));
        }
        match u.iter().position(|u| !u.is_finite()) {
            Some(at) => {
                let (n, c) = (at / outputs, at % outputs);
                Err(Error::value(format!("the cotangent of output {c} of sample {n} is {}", u[at])))
            }
            None => Ok(()),
        }
    }

    /// What a reverse sweep gives for the samples in `range`, whose cotangents are among `u`, \[N, C\].
    pub(crate) fn pulled(
        &self,
        x: &dyn Samples<B::Number>,
        range: Range<usize>,
        u: &[B::Number],
        wanted: SweepTargets<'_>,
    ) -> Result<Pulled<B::Number>> {
        let outputs = self.model().outputs();
        let tape = self.tape_of(x, range.clone())?;
        self.swept(&tape, &u[range.start * outputs..range.end * outputs], wanted)
    }

    /// As [`pulled`](Session::pulled), with cotangents that are made of the outputs.
    pub(crate) fn pulled_by(
        &self,
        x: &dyn Samples<B::Number>,
        range: Range<usize>,
        cotangents: impl FnOnce(Vec<B::Number>) -> Result<Vec<B::Number>>,
        wanted: SweepTargets<'_>,
    ) -> Result<Pulled<B::Number>> {
        let tape = self.tape_of(x, range)?;
        let u = cotangents(self.arrays().read(tape.output())?)?;
        self.swept(&tape, &u, wanted)
    }

    fn swept(&self, tape: &Tape<'_, B, O>, u: &[B::Number], wanted: SweepTargets<'_>) -> Result<Pulled<B::Number>> {
        let arrays = self.arrays();
        let uses = tape.uses()?;
        let seed = arrays.upload(u, arrays.shape(tape.output()));
        let swept = tape.sweep(&seed, wanted);
        let gradients = tape.by_parameter(&uses, &swept, Factor::gradient_row);
        let read = |list: &[Option<B::Tensor>]| {
            list.iter().map(|x| x.as_ref().map(|x| arrays.read(x)).transpose()).collect::<Result<_>>()
        };
        Ok(Pulled { parameters: read(&gradients)?, inputs: read(&swept.inputs)? })
    }

    /// J: the per-sample Jacobian of all outputs, by parameter, multiplied out by reverse mode, one sweep per output.
    ///
    /// # Errors
    /// As [`tape`](Session::tape), the rows do not fit in memory, or the device failed.
    pub fn jacobian(&self, x: &dyn Samples<B::Number>) -> Result<Jacobian<B::Number>> {
        self.check(x)?;
        let (samples, outputs) = (x.samples(), self.model().outputs());
        let infos = self.model().parameters();
        let zeros = |info: &ParameterInfo| {
            let shape = [samples, outputs, numel(&info.shape)];
            let name = &info.name;
            zeros(&shape).ok_or_else(|| Error::memory(format!("the Jacobian of '{name}', {shape:?}, does not fit")))
        };
        let mut rows: Vec<Vec<B::Number>> = infos.iter().map(zeros).collect::<Result<_>>()?;
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

/// What a reverse sweep gives for a block of samples: `None` where the output does not depend on it, or it was not wanted.
pub(crate) struct Pulled<R> {
    /// Gradients, summed over the samples.
    pub parameters: Vec<Option<Vec<R>>>,
    /// Cotangents of the inputs.
    pub inputs: Vec<Option<Vec<R>>>,
}

/// Adds the gradients of a block.
pub(crate) fn add<R: Real>(sums: &mut [Vec<R>], block: Vec<Option<Vec<R>>>) {
    for (sum, part) in sums.iter_mut().zip(block) {
        sum.iter_mut().zip(part.unwrap_or_default()).for_each(|(sum, x)| *sum += x);
    }
}

/// Derivatives by parameter.
#[derive(Clone, Debug, PartialEq)]
pub struct Gradient<R> {
    parameters: Vec<ParameterInfo>,
    values: Vec<Vec<R>>,
}

impl<R: Real> Gradient<R> {
    pub(crate) fn new(parameters: Vec<ParameterInfo>, values: Vec<Vec<R>>) -> Self {
        Gradient { parameters, values }
    }

    /// All derivatives, P numbers, parameter by parameter in the order of the model.
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
        found.map(|(_, values)| values).ok_or_else(|| Error::name(format!("there is no parameter '{name}'")))
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

    /// n
    pub fn samples(&self) -> usize {
        self.samples
    }

    /// C
    pub fn outputs(&self) -> usize {
        self.outputs
    }

    /// Every parameter with its derivatives, \[n, C, the parameter's shape\] row-major.
    pub fn iter(&self) -> impl Iterator<Item = (&ParameterInfo, &[R])> {
        self.rows.iter()
    }

    /// The derivatives in parameter `name`, \[n, C, the parameter's shape\] row-major.
    ///
    /// # Errors
    /// There is no such parameter.
    pub fn parameter(&self, name: &str) -> Result<&[R]> {
        self.rows.parameter(name)
    }
}
