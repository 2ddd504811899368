//! Derivatives by parameter: the gradient of a batch, and the per-sample Jacobian.

use std::ops::Range;

use rayon::prelude::*;

use super::session::{RUN_BLOCK, Session, blocks};
use crate::backend::Arrays;
use crate::error::{Error, Result};
use crate::factor::Factor;
use crate::ops::Op;
use crate::real::Real;
use crate::samples::Samples;
use crate::shape::{numel, zeros};
use crate::tape::{ParameterInfo, Wanted};

/// The gradients of so many blocks are held at a time, to be added in order.
const BLOCKS_AT_ONCE: usize = 64;

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
        let outputs = self.model().outputs();
        let of_block = |range: &Range<usize>| {
            let u = &u[range.start * outputs..range.end * outputs];
            self.block_gradient(x, range.clone(), u)
        };
        let infos = self.model().parameters();
        let mut values: Vec<Vec<B::Number>> =
            infos.iter().map(|info| vec![B::Number::default(); numel(&info.shape)]).collect();
        for some in blocks(x.samples(), RUN_BLOCK).chunks(BLOCKS_AT_ONCE) {
            for block in some.par_iter().map(of_block).collect::<Result<Vec<_>>>()? {
                values.iter_mut().zip(&block).for_each(|(sum, part)| add(sum, part));
            }
        }
        Ok(Gradient::new(infos.to_vec(), values))
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

    fn block_gradient(
        &self,
        x: &dyn Samples<B::Number>,
        range: Range<usize>,
        u: &[B::Number],
    ) -> Result<Vec<Vec<B::Number>>> {
        let arrays = self.arrays();
        let tape = self.tape_of(x, range)?;
        let uses = tape.uses()?;
        let seed = arrays.upload(u, arrays.shape(tape.output()));
        let swept = tape.sweep(&seed, Wanted::PARAMETERS);
        let gradients = tape.by_parameter(&uses, &swept, Factor::gradient_row);
        let read = |(gradient, info): (Option<B::Tensor>, &ParameterInfo)| match gradient {
            Some(gradient) => arrays.read(&gradient),
            None => Ok(vec![B::Number::default(); numel(&info.shape)]),
        };
        gradients.into_iter().zip(self.model().parameters()).map(read).collect()
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
                let swept = tape.sweep(&tape.unit_seed(c), Wanted::PARAMETERS);
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

fn add<R: Real>(sum: &mut [R], part: &[R]) {
    sum.iter_mut().zip(part).for_each(|(sum, &x)| *sum += x);
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
