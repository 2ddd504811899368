//! Inputs and outputs of a network.

use super::proto::{self, ValueInfo};
use crate::error::{Error, Result};
use crate::shape::checked_numel;

/// An input or output of a network.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Port {
    /// Its name in the file.
    pub name: String,
    /// Its shape for one sample, if the file gives the number of axes; `None` for sizes that it leaves open.
    pub shape: Option<Vec<Option<usize>>>,
    /// The axis of the batch among those in the file; `None` if the file has no such axis.
    pub batch_axis: Option<usize>,
    /// The size of the batch, if the file fixes it.
    pub(super) batch: Option<usize>,
    /// All sizes in the file.
    sizes: Option<Vec<Option<usize>>>,
    pub(super) whole: bool,
}

impl Port {
    pub(super) fn new(info: &ValueInfo) -> Self {
        let tensor = info.kind.as_ref().and_then(|kind| kind.tensor.as_ref());
        let dims = tensor.and_then(|tensor| tensor.shape.as_ref()).map(|shape| &shape.dim[..]);
        let size = |dim: &proto::Dimension| dim.dim_value.and_then(|size| usize::try_from(size).ok());
        let sizes = dims.map(|dims| dims.iter().map(size).collect());
        let whole = matches!(tensor.map_or(1, |tensor| tensor.elem_type), 2..=7 | 9 | 12 | 13);
        let mut port = Port { name: info.name.clone(), shape: None, batch_axis: None, batch: None, sizes, whole };
        port.place_batch(Some(0));
        port
    }

    /// Says which axis of the file is the batch's.
    pub(super) fn place_batch(&mut self, axis: Option<usize>) {
        let other = |k: usize| Some(k) != axis;
        let own = |sizes: &Vec<Option<usize>>| (0..sizes.len()).filter(|&k| other(k)).map(|k| sizes[k]).collect();
        self.shape = self.sizes.as_ref().map(own);
        self.batch = self.sizes.as_ref().and_then(|sizes| *sizes.get(axis?)?);
        self.batch_axis = axis;
    }

    /// The number of axes in the file.
    pub(super) fn rank(&self) -> Option<usize> {
        self.sizes.as_ref().map(Vec::len)
    }

    /// Its sizes in the file, open ones as 1, without a batch axis.
    pub(super) fn sizes_of_one(&self) -> Vec<usize> {
        self.sizes.iter().flatten().map(|size| size.unwrap_or(1)).collect()
    }

    /// Its shape for one sample in words, `?` for open sizes.
    pub fn described(&self) -> String {
        let size = |size: &Option<usize>| size.map_or("?".to_string(), |size| size.to_string());
        match &self.shape {
            Some(shape) => format!("[{}]", shape.iter().map(size).collect::<Vec<_>>().join(", ")),
            None => "[...]".to_string(),
        }
    }

    /// Its shape for one sample, if no size is open.
    pub(super) fn closed(&self) -> Result<Vec<usize>> {
        let closed: Option<Vec<usize>> = self.shape.as_ref().and_then(|shape| shape.iter().copied().collect());
        let closed = closed.filter(|shape| checked_numel(shape).is_some());
        closed.ok_or_else(|| {
            let (name, shape) = (&self.name, self.described());
            Error::shape(format!("a sample of input '{name}' has shape {shape}: `sample_shape` gives the open sizes"))
        })
    }

    /// The shape in the file of a sample of shape `sample`, the batch of size 1 among its axes.
    pub(super) fn with_batch(&self, sample: &[usize]) -> Vec<usize> {
        let mut shape = sample.to_vec();
        if let Some(axis) = self.batch_axis {
            shape.insert(axis.min(sample.len()), 1);
        }
        shape
    }
}
