//! Numbers that are known when a file is read: initialisers, and what is computed from them and from shapes.

use crate::backend::{Cpu, Storage};
use crate::error::{Error, Result};
use crate::ops::{Builtin, Op, OpContext};
use crate::shape::{broadcast, broadcast_strides, checked_numel, numel};

/// The most entries that an array has which a file does not hold itself but asks for: masks, ranges, grown constants.
pub(super) const MOST_ENTRIES: usize = 1 << 24;

/// What kind of numbers they are: ONNX divides whole ones with truncation, and tables are indexed by them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Float,
    Whole,
    /// 0 or 1
    Truth,
}

/// An array of numbers; `f64` holds every `f32` and all whole numbers that sizes reach.
#[derive(Clone, Debug)]
pub(super) struct Array {
    pub shape: Vec<usize>,
    pub values: Vec<f64>,
    pub kind: Kind,
}

impl Array {
    pub fn new(shape: &[usize], values: Vec<f64>, kind: Kind) -> Self {
        debug_assert_eq!(numel(shape), values.len());
        Array { shape: shape.to_vec(), values, kind }
    }

    /// A list of whole numbers.
    pub fn list(values: impl IntoIterator<Item = usize>) -> Self {
        let values: Vec<f64> = values.into_iter().map(|x| x as f64).collect();
        Array { shape: vec![values.len()], values, kind: Kind::Whole }
    }

    /// The same number everywhere.
    pub fn full(shape: &[usize], value: f64, kind: Kind) -> Result<Self> {
        bounded(shape)?;
        Ok(Array::new(shape, vec![value; numel(shape)], kind))
    }

    pub fn whole(&self) -> Vec<i64> {
        self.values.iter().map(|&x| x as i64).collect()
    }

    /// Its one number, if it has one.
    pub fn scalar(&self) -> Option<f64> {
        (self.values.len() == 1).then(|| self.values[0])
    }

    pub fn map(&self, kind: Kind, f: impl Fn(f64) -> f64) -> Self {
        Array { shape: self.shape.clone(), values: self.values.iter().map(|&x| f(x)).collect(), kind }
    }

    /// As if it had the shape `shape`, which it can be stretched to.
    pub fn stretched(&self, shape: &[usize]) -> Result<Self> {
        if broadcast(&self.shape, shape).as_deref() != Some(shape) {
            return Err(Error::shape(format!("shape {:?} cannot be stretched to {shape:?}", self.shape)));
        }
        bounded(shape)?;
        let steps = broadcast_strides(&self.shape, shape);
        let mut values = Vec::with_capacity(numel(shape));
        let mut place = vec![0usize; shape.len()];
        for _ in 0..numel(shape) {
            values.push(self.values[place.iter().zip(&steps).map(|(p, s)| p * s).sum::<usize>()]);
            for axis in (0..shape.len()).rev() {
                place[axis] += 1;
                if place[axis] < shape[axis] {
                    break;
                }
                place[axis] = 0;
            }
        }
        Ok(Array::new(shape, values, self.kind))
    }

    /// f(a, b) entry by entry, both stretched to one shape.
    pub fn zip(a: &Array, b: &Array, kind: Kind, f: impl Fn(f64, f64) -> f64) -> Result<Self> {
        let shape = broadcast(&a.shape, &b.shape)
            .ok_or_else(|| Error::shape(format!("shapes {:?} and {:?} do not fit each other", a.shape, b.shape)))?;
        let (a, b) = (a.stretched(&shape)?, b.stretched(&shape)?);
        let values = a.values.iter().zip(&b.values).map(|(&x, &y)| f(x, y)).collect();
        Ok(Array::new(&shape, values, kind))
    }

    /// What an op of the library makes of arrays, as if each were a sample.
    pub fn of_op(op: &Builtin, inputs: &[&Array]) -> Result<Self> {
        let shapes: Vec<&[usize]> = inputs.iter().map(|a| a.shape.as_slice()).collect();
        let shape = op.shape(&shapes, &[])?;
        bounded(&shape)?;
        let kind = inputs.first().map_or(Kind::Float, |a| a.kind);
        if numel(&shape) == 0 {
            return Ok(Array::new(&shape, Vec::new(), kind));
        }
        let cpu = Cpu::<f64>::new();
        let tensors: Vec<_> = inputs.iter().map(|a| cpu.upload(&a.values, &[&[1], &a.shape[..]].concat())).collect();
        let inputs: Vec<_> = tensors.iter().collect();
        let y = op.forward(&OpContext { arrays: &cpu, inputs: &inputs, parameters: &[] });
        Ok(Array::new(&shape, y.as_slice().to_vec(), kind))
    }
}

/// # Errors
/// An array of this shape would have more entries than anything sensible that a file can ask for.
pub(super) fn bounded(shape: &[usize]) -> Result<()> {
    match checked_numel(shape) {
        Some(entries) if entries <= MOST_ENTRIES => Ok(()),
        _ => Err(Error::unsupported(format!(
            "a constant of shape {shape:?} would be made, which is more than {MOST_ENTRIES} entries"
        ))),
    }
}
