//! A model on a backend.

use std::ops::Range;
use std::sync::OnceLock;

use super::blocks::{RUN_BLOCK, map_blocks};
use super::{Model, independence_check};
use crate::backend::Arrays;
use crate::error::{Error, Result};
use crate::ops::{Builtin, Op};
use crate::real::Real;
use crate::samples::Samples;
use crate::shape::numel;
use crate::tape::{ParameterInfo, Tape, Value};

/// A model whose parameters are on a backend. It gives values, gradients, Jacobians and kernels.
///
/// ```
/// use tangent_kernels::{Batch, Cpu, Sequential, Session, unary::Tanh};
///
/// let mut model = Sequential::standard(&[2]).mlp_without_bias(&[3, 1], Tanh).build()?;
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
    /// Set after the check that samples do not depend on each other.
    pub(super) independence_checked: OnceLock<()>,
}

impl<'m, B: Arrays, O: Op> Session<'m, B, O> {
    /// Uploads the parameters and buffers of `model` to `arrays`.
    ///
    /// # Errors
    /// A parameter or buffer has no values, or a value that is not finite in the precision of the backend.
    pub fn new(model: &'m Model<O>, arrays: B) -> Result<Self> {
        let upload = |list: Vec<(&ParameterInfo, &[f64])>| {
            list.into_iter().map(|(info, values)| uploaded(&arrays, info, values)).collect::<Result<Vec<_>>>()
        };
        let parameters = upload(model.valued_parameters()?)?;
        let buffers = upload(model.valued_buffers()?)?;
        let weights = model.graph().materialise_weights(&arrays, &parameters, &buffers);
        Ok(Session { model, arrays, parameters, buffers, weights, independence_checked: OnceLock::new() })
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

    /// Runs the model on `x` and keeps all values, for custom reverse sweeps.
    ///
    /// # Errors
    /// The samples do not have the shapes of the model's inputs. A number is NaN, infinite, or not a row number of the
    /// table that it is looked up in. The samples cannot be read.
    pub fn tape(&self, x: &dyn Samples<B::Number>) -> Result<Tape<'_, B, O>> {
        self.check(x)?;
        self.tape_of(x, 0..x.samples())
    }

    /// f(x), `[n, C]`, row-major.
    ///
    /// # Errors
    /// As [`tape`](Session::tape). The device failed.
    pub fn run(&self, x: &dyn Samples<B::Number>) -> Result<Vec<B::Number>> {
        self.run_to(x, self.model.output())
    }

    /// A value of the graph at x, `[n, ...]`, row-major. Later ops are not computed.
    pub(crate) fn run_to(&self, x: &dyn Samples<B::Number>, value: Value) -> Result<Vec<B::Number>> {
        self.check(x)?;
        let run = |range| self.arrays.read(self.tape_to(x, range, value)?.output());
        Ok(map_blocks(x.samples(), RUN_BLOCK, run)?.concat())
    }

    /// Checks that the samples have the shapes of the model's inputs.
    pub(crate) fn check(&self, x: &dyn Samples<B::Number>) -> Result<()> {
        let expected = self.model.graph().input_shapes();
        if x.inputs() != expected.len() {
            let given = x.inputs();
            let expected = expected.len();
            return Err(Error::shape(format!("the model takes {expected} inputs, but each sample has {given}")));
        }
        for (input, expected) in expected.iter().enumerate() {
            if x.sample_shape(input) != expected {
                let shape = x.sample_shape(input);
                return Err(Error::shape(format!(
                    "{}: the model takes samples of shape {expected:?}, but the batch of shape {:?} has samples of {shape:?}",
                    self.input_name(input),
                    [&[x.samples()], shape].concat()
                )));
            }
        }
        x.check()
    }

    /// As [`tape`](Session::tape), for a range of samples whose shapes are checked already.
    pub(crate) fn tape_of(&self, x: &dyn Samples<B::Number>, range: Range<usize>) -> Result<Tape<'_, B, O>> {
        self.tape_to(x, range, self.model.output())
    }

    /// As [`tape_of`](Session::tape_of), up to `value`.
    fn tape_to(&self, x: &dyn Samples<B::Number>, range: Range<usize>, value: Value) -> Result<Tape<'_, B, O>> {
        let inputs = self.upload(&self.arrays, x, range)?;
        Ok(Tape::run(self.model.graph(), value, &self.arrays, &self.weights, inputs))
    }

    /// A range of samples on a backend, as one array per input.
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

    /// Checks once per session, on a few samples, that samples do not depend on each other. A batch of one sample is not
    /// checked.
    ///
    /// # Errors
    /// A sample depends on others. The message names the op.
    pub(crate) fn independence_check(&self, x: &dyn Samples<B::Number>) -> Result<()> {
        if self.independence_checked.get().is_none() && x.samples() > 1 {
            independence_check::independence(self, x)?;
            let _ = self.independence_checked.set(());
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
            let expected = range.len() * size;
            let given = numbers.len();
            return Err(Error::shape(format!(
                "{}: reading samples {range:?} gave {given} numbers, but {expected} are needed",
                self.input_name(input)
            )));
        }
        let place = |index: usize| format!("entry {} of sample {}", index % size, range.start + index / size);
        if let Some(index) = numbers.iter().position(|x| !x.is_finite()) {
            let name = self.input_name(input);
            let number = numbers[index];
            let place = place(index);
            return Err(Error::value(format!("{name} is {number} at {place}, but must be finite")));
        }
        let Some(rows) = graph.table(input) else { return Ok(()) };
        let is_row = |x: &B::Number| (0.0..rows as f64).contains(&x.f64()) && x.f64().fract() == 0.0;
        let Some(index) = numbers.iter().position(|x| !is_row(x)) else { return Ok(()) };
        let name = self.input_name(input);
        let number = numbers[index];
        let place = place(index);
        Err(Error::value(format!("{name} is {number} at {place}, which is not a row number of a table of {rows} rows")))
    }
}

fn uploaded<B: Arrays>(arrays: &B, info: &ParameterInfo, values: &[f64]) -> Result<B::Tensor> {
    let numbers: Vec<B::Number> = values.iter().map(|&x| B::Number::from_f64(x)).collect();
    // An infinity of a buffer is meant; a number that becomes one in this precision is not.
    let held = |(number, &value): (&B::Number, &f64)| number.is_finite() || value.is_infinite();
    if let Some(index) = numbers.iter().zip(values).position(|pair| !held(pair)) {
        return Err(Error::value(format!(
            "parameter '{}' is {:e} at entry {index}, which {} cannot represent; use f64 or rescale it",
            info.name,
            values[index],
            B::Number::NAME
        )));
    }
    Ok(arrays.upload(&numbers, &info.shape))
}
