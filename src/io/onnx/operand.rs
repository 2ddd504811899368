//! The values that names in a file stand for while it is read.

use std::borrow::Cow;
use std::rc::Rc;

use super::array::{Array, Kind};
use crate::error::{Error, Result};
use crate::ops::Builtin;
use crate::tape::Value;

/// A value of the network for a batch of one sample: with the axes that it has in the file, the batch's among them.
#[derive(Clone, Debug)]
pub(super) struct Operand {
    /// In the file's axes; the batch counts 1.
    pub shape: Vec<usize>,
    /// The axis before which the batch is, if it is between axes: the batch's own axis, if that has size 1, otherwise
    /// one that it is a part of. `None` for constants, and where a reshape buried it inside an axis.
    pub batch: Option<usize>,
    pub kind: Kind,
    pub is: Is,
    pub hint: Hint,
}

/// Where its numbers come from.
#[derive(Clone, Debug)]
pub(super) enum Is {
    /// Every sample has its own: the graph's value, whose shape for one sample has these entries in this order.
    Sample(Value),
    /// They are known, and may come from tensors of the file.
    Constant(Rc<Array>, Option<Rc<Source>>),
    /// Several values, one of which another node takes out.
    Sequence(Rc<Vec<Operand>>),
}

/// Which tensors of the file a constant comes from.
#[derive(Debug)]
pub(super) enum Source {
    /// It is a tensor of the file.
    Tensor {
        /// Its name in the file.
        name: Rc<str>,
        /// Whether it is a parameter of the network.
        trainable: bool,
    },
    /// An op computes it from constants, at least one of which is made of parameters.
    Derived(Derived),
}

/// What an op computes from constants.
#[derive(Debug)]
pub(super) struct Derived {
    pub op: Builtin,
    pub from: Vec<Operand>,
    /// How many ops are between it and the farthest tensor.
    depth: usize,
}

/// The longest chain of ops between a weight and its tensors.
const DEEPEST: usize = 512;

impl Source {
    /// The source of what `op` computes from `from`: none if no parameter is in it.
    ///
    /// # Errors
    /// The chain of ops is longer than any sensible one.
    pub fn derived(op: Builtin, from: &[&Operand]) -> Result<Option<Rc<Self>>> {
        if !from.iter().any(|x| x.is_trainable()) {
            return Ok(None);
        }
        let below = from.iter().filter_map(|x| match x.source().map(|source| &**source) {
            Some(Source::Derived(derived)) => Some(derived.depth),
            _ => None,
        });
        let depth = below.max().unwrap_or(0) + 1;
        if depth > DEEPEST {
            return Err(Error::unsupported(format!("more than {DEEPEST} ops one after another on a weight")));
        }
        let from = from.iter().map(|&x| x.clone()).collect();
        Ok(Some(Rc::new(Source::Derived(Derived { op, from, depth }))))
    }

    /// Whether a parameter is in it.
    fn is_trainable(&self) -> bool {
        match self {
            Source::Tensor { trainable, .. } => *trainable,
            // Nothing else is derived.
            Source::Derived(_) => true,
        }
    }
}

/// Facts about a value other than its numbers, for the nodes that use it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Hint {
    #[default]
    Plain,
    /// Whether the entries of this value are NaN.
    IsNan(Value),
    /// A product that already has the bias that the next node adds.
    Biased,
    /// A list of sizes; the one at this place is the batch's.
    Sizes(usize),
    /// A number computed from the size of the batch.
    BatchSize,
}

impl Operand {
    pub fn sample(value: Value, shape: Vec<usize>, batch: Option<usize>) -> Self {
        Operand { shape, batch, kind: Kind::Float, is: Is::Sample(value), hint: Hint::Plain }
    }

    pub fn constant(array: Array) -> Self {
        Operand::with_source(Rc::new(array), None)
    }

    pub fn with_source(array: Rc<Array>, source: Option<Rc<Source>>) -> Self {
        let (shape, kind) = (array.shape.clone(), array.kind);
        Operand { shape, batch: None, kind, is: Is::Constant(array, source), hint: Hint::Plain }
    }

    #[must_use]
    pub fn with_hint(mut self, hint: Hint) -> Self {
        self.hint = hint;
        self
    }

    #[must_use]
    pub fn of_kind(mut self, kind: Kind) -> Self {
        self.kind = kind;
        self
    }

    pub fn rank(&self) -> usize {
        self.shape.len()
    }

    /// The numbers of a constant, of which a parameter may be a part: for results that do not change with it, such as
    /// comparisons. Everything else goes through [`array`](Operand::array), or through the reader's ops.
    pub fn numbers(&self) -> Option<&Array> {
        match &self.is {
            Is::Constant(array, _) => Some(array),
            _ => None,
        }
    }

    /// The numbers of a constant that has no parameter in it.
    pub fn array(&self) -> Option<&Array> {
        self.numbers().filter(|_| !self.is_trainable())
    }

    /// The numbers in the shape that it has now, if it is a constant.
    pub fn shaped(&self) -> Option<Cow<'_, Array>> {
        self.numbers().map(|array| {
            if array.shape == self.shape {
                Cow::Borrowed(array)
            } else {
                Cow::Owned(Array { shape: self.shape.clone(), ..array.clone() })
            }
        })
    }

    pub fn source(&self) -> Option<&Rc<Source>> {
        match &self.is {
            Is::Constant(_, source) => source.as_ref(),
            _ => None,
        }
    }

    /// Whether all samples have the same numbers: fixed ones, or those of parameters.
    pub fn is_constant(&self) -> bool {
        matches!(self.is, Is::Constant(..))
    }

    /// Whether it is a constant that parameters are a part of. Which tensors are parameters is decided before the nodes
    /// are read (`parameters`).
    pub fn is_trainable(&self) -> bool {
        self.source().is_some_and(|source| source.is_trainable())
    }

    /// Its one number, if it is a constant without parameters that has one.
    pub fn scalar(&self) -> Option<f64> {
        self.array().and_then(Array::scalar)
    }

    /// The name of the tensor that it is.
    pub fn tensor(&self) -> Option<&str> {
        match self.source().map(|source| &**source) {
            Some(Source::Tensor { name, .. }) => Some(name),
            _ => None,
        }
    }

    /// The same numbers, through which no gradient goes.
    #[must_use]
    pub fn detached(&self) -> Self {
        match &self.is {
            Is::Constant(array, _) => Operand { is: Is::Constant(array.clone(), None), ..self.clone() },
            _ => self.clone(),
        }
    }

    /// The batch's own axis.
    pub fn own_batch(&self) -> Option<usize> {
        self.batch.filter(|&axis| self.shape.get(axis) == Some(&1))
    }

    /// The shape without the batch's axis.
    pub fn sample_shape(&self) -> Vec<usize> {
        let own = self.own_batch();
        (0..self.rank()).filter(|&axis| Some(axis) != own).map(|axis| self.shape[axis]).collect()
    }

    /// An axis of the file among those without the batch's.
    ///
    /// # Errors
    /// It is the batch's, or the batch is a part of it.
    pub fn sample_axis(&self, axis: usize) -> Result<usize> {
        match self.own_batch() {
            _ if self.batch == Some(axis) && (axis == 0 || self.shape.get(axis) == Some(&1)) => {
                Err(Error::unsupported(format!(
                    "this works along axis {axis}, which is the batch's or has the batch in it, and so mixes samples; the \
                     kernel between two samples is only defined for ops that treat every sample alone. If an input has its \
                     batch on another axis, or none, `batch_axis` or `unbatched` says so (--batch-axis NAME=AXIS, --unbatched)"
                )))
            }
            Some(batch) if batch < axis => Ok(axis - 1),
            _ => Ok(axis),
        }
    }

    /// An axis as files give it: negative ones count from the end.
    pub fn axis(&self, axis: i64) -> Result<usize> {
        axis_among(axis, self.rank()).ok_or_else(|| {
            Error::shape(format!("axis {axis} of a value of shape {:?} (for a batch of one)", self.shape))
        })
    }

    /// The batch's axis after a change of shape.
    pub fn batch_after_reshape(&self, shape: &[usize]) -> Option<usize> {
        let before: usize = self.shape[..self.batch?].iter().product();
        let fits = |&axis: &usize| shape[..axis].iter().product::<usize>() == before;
        let places = || (0..=shape.len()).filter(fits);
        places().find(|&axis| shape.get(axis) == Some(&1)).or_else(|| places().next())
    }
}

/// An axis among `rank`, counted from the end if negative.
pub(super) fn axis_among(axis: i64, rank: usize) -> Option<usize> {
    let size = usize::try_from(axis.unsigned_abs()).ok()?;
    let axis = if axis < 0 { rank.checked_sub(size)? } else { size };
    (axis < rank).then_some(axis)
}
