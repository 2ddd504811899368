use std::ops::Range;

use crate::backend::{Arrays, Dual, DualTensor};
use crate::error::{Error, Result};
use crate::model::{Model, Session};
use crate::ops::Op;
use crate::real::Real;
use crate::samples::Samples;
use crate::shape::numel;
use crate::tape::Tape;

/// A direction of movement of parameters and inputs, with one number per entry. Zero means that the entry does not move.
#[derive(Clone, Debug, PartialEq)]
pub struct Direction<R> {
    /// Names and sizes of the model's parameters, to recognise directions of other models.
    sizes: Vec<(String, usize)>,
    parameters: Vec<Option<Vec<R>>>,
    inputs: Vec<Option<Vec<R>>>,
}

impl<R: Real> Direction<R> {
    /// The direction in which nothing moves.
    pub fn none<O: Op>(model: &Model<O>) -> Self {
        let sizes: Vec<_> = model.parameters().iter().map(|info| (info.name.clone(), numel(&info.shape))).collect();
        Direction { parameters: vec![None; sizes.len()], inputs: vec![None; model.input_shapes().len()], sizes }
    }

    /// All parameters move by `flat`: P numbers, parameter by parameter in the order of the model, row-major.
    ///
    /// # Errors
    /// `flat` does not have P numbers, or a number is not finite.
    pub fn from_parameters<O: Op>(model: &Model<O>, flat: &[R]) -> Result<Self> {
        let mut direction = Direction::none(model);
        let total: usize = direction.sizes.iter().map(|(_, size)| size).sum();
        if flat.len() != total {
            let given = flat.len();
            return Err(Error::shape(format!("a direction of {given} numbers does not fit {total} parameters")));
        }
        let mut first = 0;
        for k in 0..direction.sizes.len() {
            let (name, size) = &direction.sizes[k];
            let values = &flat[first..first + size];
            finite(name, values)?;
            direction.parameters[k] = Some(values.to_vec());
            first += size;
        }
        Ok(direction)
    }

    /// Parameter `name` moves by `values`, one number per entry, row-major.
    ///
    /// # Errors
    /// The parameter does not exist, it has another number of entries, or a number is not finite.
    pub fn parameter(mut self, name: &str, values: &[R]) -> Result<Self> {
        let Some(k) = self.sizes.iter().position(|(known, _)| known == name) else {
            let names: Vec<&str> = self.sizes.iter().map(|(name, _)| name.as_str()).collect();
            let names = names.join(", ");
            return Err(Error::name(format!("the model has no parameter '{name}'; its parameters are {names}")));
        };
        let size = self.sizes[k].1;
        if values.len() != size {
            return Err(Error::shape(format!(
                "a direction of {} numbers does not fit parameter '{name}' of {size} entries",
                values.len()
            )));
        }
        finite(name, values)?;
        self.parameters[k] = Some(values.to_vec());
        Ok(self)
    }

    /// Input `input` moves by `values`, one number per entry of each sample, `[n, ...]`, row-major.
    ///
    /// # Errors
    /// The input does not exist, or a number is not finite. The number of entries is checked when samples are given.
    pub fn input(mut self, input: usize, values: &[R]) -> Result<Self> {
        let inputs = self.inputs.len();
        let Some(tangent) = self.inputs.get_mut(input) else {
            return Err(Error::name(format!("input {input} does not exist; the model has {inputs}, counted from 0")));
        };
        finite(&format!("input {input}"), values)?;
        *tangent = Some(values.to_vec());
        Ok(self)
    }

    /// # Errors
    /// It is a direction of another model, or for another number of samples.
    pub(super) fn check<O: Op>(&self, model: &Model<O>, samples: usize) -> Result<()> {
        self.check_parameters(model)?;
        for (input, (values, shape)) in self.inputs.iter().zip(model.input_shapes()).enumerate() {
            let Some(values) = values else { continue };
            if values.len() != samples * numel(shape) {
                let given = values.len();
                let needed = samples * numel(shape);
                return Err(Error::shape(format!(
                    "a direction of {given} numbers does not fit input {input}: {samples} samples have {needed} entries"
                )));
            }
        }
        Ok(())
    }

    /// # Errors
    /// It is a direction of another model.
    pub(super) fn check_parameters<O: Op>(&self, model: &Model<O>) -> Result<()> {
        let sizes = model.parameters().iter().map(|info| (info.name.as_str(), numel(&info.shape)));
        if !sizes.eq(self.sizes.iter().map(|(name, size)| (name.as_str(), *size))) {
            return Err(Error::shape(
                "the direction belongs to another model: its parameters have other names or sizes",
            ));
        }
        Ok(())
    }

    /// The model's weights on `dual`. Their tangents follow from those of the parameters.
    pub(crate) fn weights<B: Arrays<Number = R>, O: Op>(
        &self,
        session: &Session<'_, B, O>,
        dual: &Dual<B>,
    ) -> Vec<DualTensor<B>> {
        let arrays = session.arrays();
        let lift = |(value, values): (&B::Tensor, &Option<Vec<R>>)| {
            let tangent = values.as_ref().map(|values| arrays.upload(values, arrays.shape(value)));
            dual.lift(value, tangent.as_ref())
        };
        let parameters: Vec<_> = session.parameters().iter().zip(&self.parameters).map(lift).collect();
        let buffers: Vec<_> = session.buffers().iter().map(|value| dual.lift(value, None)).collect();
        session.model().graph().materialise_weights(dual, &parameters, &buffers)
    }

    /// A run of forward mode over the samples in `range`, with the weights from [`weights`](Self::weights).
    pub(crate) fn tape<'a, B: Arrays<Number = R>, O: Op>(
        &self,
        session: &'a Session<'_, B, O>,
        dual: &'a Dual<B>,
        weights: &'a [DualTensor<B>],
        x: &dyn Samples<R>,
        range: &Range<usize>,
    ) -> Result<Tape<'a, Dual<B>, O>> {
        let samples = session.upload(session.arrays(), x, range.clone())?;
        Ok(self.uploaded_tape(session, dual, weights, samples, range))
    }

    /// As [`tape`](Self::tape), for samples that are on the backend already.
    pub(super) fn uploaded_tape<'a, B: Arrays<Number = R>, O: Op>(
        &self,
        session: &'a Session<'_, B, O>,
        dual: &'a Dual<B>,
        weights: &'a [DualTensor<B>],
        samples: Vec<B::Tensor>,
        range: &Range<usize>,
    ) -> Tape<'a, Dual<B>, O> {
        let arrays = session.arrays();
        let lift = |(value, values): (B::Tensor, &Option<Vec<R>>)| {
            let size = numel(&arrays.shape(&value)[1..]);
            let rows = values.as_ref().map(|values| &values[range.start * size..range.end * size]);
            let tangent = rows.map(|rows| arrays.upload(rows, arrays.shape(&value)));
            dual.lift(&value, tangent.as_ref())
        };
        let inputs = samples.into_iter().zip(&self.inputs).map(lift).collect();
        Tape::run(session.model().graph(), session.model().output(), dual, weights, inputs)
    }
}

fn finite<R: Real>(name: &str, values: &[R]) -> Result<()> {
    match values.iter().position(|x| !x.is_finite()) {
        Some(entry) => {
            let value = values[entry];
            Err(Error::value(format!("the direction of {name} is {value} at entry {entry}, but must be finite")))
        }
        None => Ok(()),
    }
}
