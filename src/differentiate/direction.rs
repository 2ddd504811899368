use std::ops::Range;

use crate::backend::{Arrays, Dual, DualTensor};
use crate::error::{Error, Result};
use crate::model::{Model, Session};
use crate::ops::Op;
use crate::real::Real;
use crate::samples::Samples;
use crate::shape::numel;
use crate::tape::Tape;

/// How parameters and inputs move: a number for each of their entries, zero for those that stay.
#[derive(Clone, Debug, PartialEq)]
pub struct Direction<R> {
    /// Names and sizes of the parameters, to tell whether it is of a model.
    sizes: Vec<(String, usize)>,
    parameters: Vec<Option<Vec<R>>>,
    inputs: Vec<Option<Vec<R>>>,
}

impl<R: Real> Direction<R> {
    /// Nothing moves.
    pub fn none<O: Op>(model: &Model<O>) -> Self {
        let sizes: Vec<_> = model.parameters().iter().map(|info| (info.name.clone(), numel(&info.shape))).collect();
        Direction { parameters: vec![None; sizes.len()], inputs: vec![None; model.input_shapes().len()], sizes }
    }

    /// All parameters move, by `flat`: P numbers, parameter by parameter in the order of the model, row-major.
    ///
    /// # Errors
    /// There are not P of them, or one is not finite.
    pub fn of_parameters<O: Op>(model: &Model<O>, flat: &[R]) -> Result<Self> {
        let mut direction = Direction::none(model);
        let total: usize = direction.sizes.iter().map(|(_, size)| size).sum();
        if flat.len() != total {
            return Err(Error::shape(format!("a direction of {} numbers for {total} parameters", flat.len())));
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

    /// Parameter `name` moves, by a number for each of its entries, row-major.
    ///
    /// # Errors
    /// There is no such parameter, it has another number of entries, or a number is not finite.
    pub fn parameter(mut self, name: &str, values: &[R]) -> Result<Self> {
        let Some(k) = self.sizes.iter().position(|(own, _)| own == name) else {
            let names: Vec<&str> = self.sizes.iter().map(|(name, _)| name.as_str()).collect();
            return Err(Error::name(format!("there is no parameter '{name}'; the model has {}", names.join(", "))));
        };
        let size = self.sizes[k].1;
        if values.len() != size {
            return Err(Error::shape(format!(
                "a direction of {} numbers for '{name}', which has {size}",
                values.len()
            )));
        }
        finite(name, values)?;
        self.parameters[k] = Some(values.to_vec());
        Ok(self)
    }

    /// Input `input` moves, by a number for each entry of each sample, \[n, ...\] row-major.
    ///
    /// # Errors
    /// There is no such input, or a number is not finite. That there is a number for each entry is checked when samples are
    /// at hand.
    pub fn input(mut self, input: usize, values: &[R]) -> Result<Self> {
        let inputs = self.inputs.len();
        let Some(own) = self.inputs.get_mut(input) else {
            return Err(Error::name(format!("there is no input {input}; the model has {inputs}, counted from 0")));
        };
        finite(&format!("input {input}"), values)?;
        *own = Some(values.to_vec());
        Ok(self)
    }

    /// # Errors
    /// It is a direction of another model, or of another number of samples.
    pub(super) fn check<O: Op>(&self, model: &Model<O>, samples: usize) -> Result<()> {
        self.check_parameters(model)?;
        for (input, (values, shape)) in self.inputs.iter().zip(model.input_shapes()).enumerate() {
            let Some(values) = values else { continue };
            if values.len() != samples * numel(shape) {
                let (given, wanted) = (values.len(), samples * numel(shape));
                return Err(Error::shape(format!(
                    "a direction of {given} numbers for input {input}, whose {samples} samples have {wanted}"
                )));
            }
        }
        Ok(())
    }

    /// # Errors
    /// It is a direction of another model.
    pub(super) fn check_parameters<O: Op>(&self, model: &Model<O>) -> Result<()> {
        let own = model.parameters().iter().map(|info| (info.name.as_str(), numel(&info.shape)));
        if !own.eq(self.sizes.iter().map(|(name, size)| (name.as_str(), *size))) {
            return Err(Error::shape("the direction is one of another model: its parameters are others"));
        }
        Ok(())
    }

    /// The model's weights on `dual`, moving with the parameters.
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

    /// A run of forward mode over the samples in `range`, with the weights that [`weights`](Self::weights) gives.
    pub(crate) fn tape<'a, B: Arrays<Number = R>, O: Op>(
        &self,
        session: &'a Session<'_, B, O>,
        dual: &'a Dual<B>,
        weights: &'a [DualTensor<B>],
        x: &dyn Samples<R>,
        range: &Range<usize>,
    ) -> Result<Tape<'a, Dual<B>, O>> {
        let samples = session.upload(session.arrays(), x, range.clone())?;
        Ok(self.tape_of(session, dual, weights, samples, range))
    }

    /// As [`tape`](Self::tape), of samples that are on the backend already.
    pub(super) fn tape_of<'a, B: Arrays<Number = R>, O: Op>(
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
            let own = values.as_ref().map(|values| &values[range.start * size..range.end * size]);
            let tangent = own.map(|own| arrays.upload(own, arrays.shape(&value)));
            dual.lift(&value, tangent.as_ref())
        };
        let inputs = samples.into_iter().zip(&self.inputs).map(lift).collect();
        Tape::run(session.model().graph(), session.model().output(), dual, weights, inputs)
    }
}

fn finite<R: Real>(name: &str, values: &[R]) -> Result<()> {
    match values.iter().position(|x| !x.is_finite()) {
        Some(at) => Err(Error::value(format!("the direction of {name} is {} at entry {at}", values[at]))),
        None => Ok(()),
    }
}
