//! A model on a backend.

use std::ops::Range;
use std::sync::OnceLock;

use super::blocks::{RUN_BLOCK, mapped};
use super::{Model, independence_check};
use crate::backend::Arrays;
use crate::error::{Error, Result};
use crate::ops::{Builtin, Op};
use crate::real::Real;
use crate::samples::Samples;
use crate::shape::numel;
use crate::tape::{ParameterInfo, Tape, Value};

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
    buffers: Vec<B::Tensor>,
    weights: Vec<B::Tensor>,
    /// Samples were found not to depend on each other.
    pub(super) probed: OnceLock<()>,
}

impl<'m, B: Arrays, O: Op> Session<'m, B, O> {
    /// Uploads the parameters and buffers of `model` to `arrays`.
    ///
    /// # Errors
    /// A parameter or buffer has no values, or one that is not finite as a number of the backend.
    pub fn new(model: &'m Model<O>, arrays: B) -> Result<Self> {
        let upload = |list: Vec<(&ParameterInfo, &[f64])>| {
            list.into_iter().map(|(info, values)| uploaded(&arrays, info, values)).collect::<Result<Vec<_>>>()
        };
        let parameters = upload(model.valued_parameters()?)?;
        let buffers = upload(model.valued_buffers()?)?;
        let weights = model.graph().weigh(&arrays, &parameters, &buffers);
        Ok(Session { model, arrays, parameters, buffers, weights, probed: OnceLock::new() })
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

    /// The buffers on the backend, in the order of the model.
    pub fn buffers(&self) -> &[B::Tensor] {
        &self.buffers
    }

    /// Runs the model on `x` and keeps every value: the start of reverse sweeps of your own.
    ///
    /// # Errors
    /// The samples have other shapes than the model's inputs, a number is NaN or infinite or no row of the table that it
    /// is looked up in, or samples cannot be read.
    pub fn tape(&self, x: &dyn Samples<B::Number>) -> Result<Tape<'_, B, O>> {
        self.check(x)?;
        self.tape_of(x, 0..x.samples())
    }

    /// f(x), \[n, C\] row-major.
    ///
    /// # Errors
    /// As [`tape`](Session::tape), or the device failed.
    pub fn run(&self, x: &dyn Samples<B::Number>) -> Result<Vec<B::Number>> {
        self.run_to(x, self.model.output())
    }

    /// A value of the graph at x, \[n, ...\] row-major; what is recorded after it is not computed.
    pub(crate) fn run_to(&self, x: &dyn Samples<B::Number>, value: Value) -> Result<Vec<B::Number>> {
        self.check(x)?;
        let run = |range| self.arrays.read(self.tape_to(x, range, value)?.output());
        Ok(mapped(x.samples(), RUN_BLOCK, run)?.concat())
    }

    /// The samples have the shapes that the model takes.
    pub(crate) fn check(&self, x: &dyn Samples<B::Number>) -> Result<()> {
        let wanted = self.model.graph().input_shapes();
        if x.inputs() != wanted.len() {
            let (given, wanted) = (x.inputs(), wanted.len());
            return Err(Error::shape(format!("the model takes {wanted} inputs, but samples of {given} were given")));
        }
        for (input, wanted) in wanted.iter().enumerate() {
            if x.sample_shape(input) != wanted {
                let shape = x.sample_shape(input);
                return Err(Error::shape(format!(
                    "{}: the model takes samples of shape {wanted:?}, but the batch has shape {:?}, samples of {shape:?}",
                    self.input_name(input),
                    [&[x.samples()], shape].concat()
                )));
            }
        }
        x.check()
    }

    /// As [`tape`](Session::tape), of some samples whose shapes were checked.
    pub(crate) fn tape_of(&self, x: &dyn Samples<B::Number>, range: Range<usize>) -> Result<Tape<'_, B, O>> {
        self.tape_to(x, range, self.model.output())
    }

    /// As [`tape_of`](Session::tape_of), up to `value`.
    fn tape_to(&self, x: &dyn Samples<B::Number>, range: Range<usize>, value: Value) -> Result<Tape<'_, B, O>> {
        let inputs = self.upload(&self.arrays, x, range)?;
        Ok(Tape::run(self.model.graph(), value, &self.arrays, &self.weights, inputs))
    }

    /// Some samples on a backend, one array for each input.
    pub(crate) fn upload<A: Arrays<Number = B::Number>>(
        &self,
        arrays: &A,
        x: &dyn Samples<B::Number>,
        range: Range<usize>,
    ) -> Result<Vec<A::Tensor>> {
        let upload = |input: usize| {
            let numbers = x.read(input, range.clone())?;
            self.check_numbers(input, range.clone(), &numbers)?;
            Ok(arrays.upload(&numbers, &[&[range.len()], x.sample_shape(input)].concat()))
        };
        (0..x.inputs()).map(upload).collect()
    }

    /// Samples must not depend on each other: a look at a few of them, once a session. One alone tells nothing.
    ///
    /// # Errors
    /// They do. The message names the op.
    pub(crate) fn independence_check(&self, x: &dyn Samples<B::Number>) -> Result<()> {
        if self.probed.get().is_none() && x.samples() > 1 {
            independence_check::independence(self, x)?;
            let _ = self.probed.set(());
        }
        Ok(())
    }

    fn input_name(&self, input: usize) -> String {
        if self.model.graph().input_shapes().len() == 1 { "the input".into() } else { format!("input {input}") }
    }

    fn check_numbers(&self, input: usize, range: Range<usize>, numbers: &[B::Number]) -> Result<()> {
        let graph = self.model.graph();
        let size = numel(&graph.input_shapes()[input]);
        if numbers.len() != range.len() * size {
            let (wanted, given) = (range.len() * size, numbers.len());
            return Err(Error::shape(format!(
                "{}: samples {range:?} were read as {given} numbers, where {wanted} are needed",
                self.input_name(input)
            )));
        }
        let wrong = |what: String, at: usize| {
            Error::value(format!(
                "{} is {} at entry {} of sample {}{what}",
                self.input_name(input),
                numbers[at],
                at % size,
                range.start + at / size,
            ))
        };
        if let Some(at) = numbers.iter().position(|x| !x.is_finite()) {
            return Err(wrong(String::new(), at));
        }
        if let Some(rows) = graph.table(input) {
            let is_row = |x: &B::Number| (0.0..rows as f64).contains(&x.f64()) && x.f64().fract() == 0.0;
            if let Some(at) = numbers.iter().position(|x| !is_row(x)) {
                return Err(wrong(format!(", which is no row of a table of {rows}"), at));
            }
        }
        Ok(())
    }
}

fn uploaded<B: Arrays>(arrays: &B, info: &ParameterInfo, values: &[f64]) -> Result<B::Tensor> {
    let numbers: Vec<B::Number> = values.iter().map(|&x| B::Number::from_f64(x)).collect();
    if let Some(at) = numbers.iter().position(|x| !x.is_finite()) {
        return Err(Error::value(format!(
            "parameter '{}' is {:e} at entry {at}, which {} cannot hold",
            info.name,
            values[at],
            B::Number::NAME
        )));
    }
    Ok(arrays.upload(&numbers, &info.shape))
}
