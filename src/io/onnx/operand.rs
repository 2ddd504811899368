//! What a name in a file stands for while it is read.

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
    /// Before which axis the batch lies, if it lies between axes: the batch's own axis, if that has size 1, otherwise
    /// one that it is a part of. `None` for constants, and where a reshape buried it inside an axis.
    pub batch: Option<usize>,
    pub kind: Kind,
    pub is: Is,
    pub seen: Seen,
}

/// Where its numbers come from.
#[derive(Clone, Debug)]
pub(super) enum Is {
    /// Every sample has its own: the graph's value, whose shape for one sample has these entries in this order.
    Sample(Value),
    /// They are known, and may be a parameter's or made of one.
    Constant(Rc<Array>, Option<Rc<Source>>),
    /// Several values, one of which another node takes out.
    Sequence(Rc<Vec<Operand>>),
}

/// How a constant hangs on initialisers of the file.
#[derive(Debug)]
pub(super) enum Source {
    /// It is one, under this name.
    Initialiser(Rc<str>),
    /// An op makes it of others.
    Made(Made),
}

/// What an op makes of constants.
#[derive(Debug)]
pub(super) struct Made {
    pub op: Builtin,
    pub from: Vec<Operand>,
    /// The initialisers behind it, each once.
    names: Vec<Rc<str>>,
    /// How many ops are between it and the farthest of them.
    depth: usize,
}

/// The longest chain of ops between a weight and its initialisers.
const DEEPEST: usize = 512;

impl Made {
    /// What `op` makes of `from`.
    ///
    /// # Errors
    /// The chain of ops is longer than any sensible one.
    pub fn new(op: Builtin, from: Vec<Operand>) -> Result<Self> {
        let mut names: Vec<Rc<str>> = from.iter().flat_map(Operand::initialisers).collect();
        names.sort();
        names.dedup();
        let below = from.iter().filter_map(|x| match x.source().map(|source| &**source) {
            Some(Source::Made(made)) => Some(made.depth),
            _ => None,
        });
        let depth = below.max().unwrap_or(0) + 1;
        match depth <= DEEPEST {
            true => Ok(Made { op, from, names, depth }),
            false => Err(Error::unsupported(format!("more than {DEEPEST} ops one after another on a weight"))),
        }
    }
}

/// What the ops before it made of a value, where that says what comes next is a part of the same layer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Seen {
    #[default]
    Plain,
    /// A square root.
    Root,
    /// One over a square root.
    InverseRoot,
    /// What was divided by a square root, which a weight and a bias may follow: a norm that is written out.
    Normalised,
    /// What softplus made, which exporters replace by its argument where that is large.
    Softplus,
    /// Whether a value is above or below a number.
    Compared,
    /// A product to which the next node's bias was added already.
    Biased,
}

impl Operand {
    pub fn sample(value: Value, shape: Vec<usize>, batch: Option<usize>) -> Self {
        Operand { shape, batch, kind: Kind::Float, is: Is::Sample(value), seen: Seen::Plain }
    }

    pub fn constant(array: Array) -> Self {
        Operand::with_source(Rc::new(array), None)
    }

    pub fn with_source(array: Rc<Array>, source: Option<Rc<Source>>) -> Self {
        let (shape, kind) = (array.shape.clone(), array.kind);
        Operand { shape, batch: None, kind, is: Is::Constant(array, source), seen: Seen::Plain }
    }

    #[must_use]
    pub fn seen(mut self, seen: Seen) -> Self {
        self.seen = seen;
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

    pub fn array(&self) -> Option<&Array> {
        match &self.is {
            Is::Constant(array, _) => Some(array),
            _ => None,
        }
    }

    /// The numbers in the shape that it has now, if it is a constant.
    pub fn shaped(&self) -> Option<Cow<'_, Array>> {
        self.array().map(|array| match array.shape == self.shape {
            true => Cow::Borrowed(array),
            false => Cow::Owned(Array { shape: self.shape.clone(), ..array.clone() }),
        })
    }

    pub fn source(&self) -> Option<&Rc<Source>> {
        match &self.is {
            Is::Constant(_, source) => source.as_ref(),
            _ => None,
        }
    }

    pub fn is_constant(&self) -> bool {
        self.array().is_some()
    }

    /// The one number that it is, if it is one that is no initialiser of the file with axes.
    pub fn scalar(&self) -> Option<f64> {
        self.array().and_then(Array::scalar)
    }

    /// An initialiser as it stands in the file.
    pub fn initialiser(&self) -> Option<&str> {
        match self.source().map(|source| &**source) {
            Some(Source::Initialiser(name)) => Some(name),
            _ => None,
        }
    }

    /// The batch's own axis.
    pub fn own_batch(&self) -> Option<usize> {
        self.batch.filter(|&axis| self.shape.get(axis) == Some(&1))
    }

    /// The initialisers that it is made of.
    pub fn initialisers(&self) -> Vec<Rc<str>> {
        match self.source().map(|source| &**source) {
            Some(Source::Initialiser(name)) => vec![name.clone()],
            Some(Source::Made(made)) => made.names.clone(),
            None => Vec::new(),
        }
    }

    /// The shape without the batch's axis.
    pub fn natural(&self) -> Vec<usize> {
        let own = self.own_batch();
        (0..self.rank()).filter(|&axis| Some(axis) != own).map(|axis| self.shape[axis]).collect()
    }

    /// An axis of the file among those without the batch's.
    ///
    /// # Errors
    /// It is the batch's, or the batch is a part of it.
    pub fn natural_axis(&self, axis: usize) -> Result<usize> {
        match self.own_batch() {
            _ if self.batch == Some(axis) && (axis == 0 || self.shape.get(axis) == Some(&1)) => {
                Err(Error::unsupported(format!(
                    "this works along axis {axis}, which is the batch's or has the batch in it, and so mixes samples; the \
                 kernel between two samples is only defined for ops that treat every sample alone"
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

    /// Where the batch lies after the entries were given another shape.
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
