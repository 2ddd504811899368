//! The order of rows.

use super::kernels;
use super::{Gpu, Launch, TOUCH, Tensor, groups, word};
use crate::error::Error;
use crate::shape::numel;

/// The longest row: an invocation goes through the row of each of its four entries, and there are drivers that end all
/// loops of an invocation after 65,535 rounds together, without an error.
const LONGEST: usize = 65_535 / 4;

impl Gpu {
    pub(super) fn sorted(&self, x: &Tensor, descending: bool) -> Tensor {
        let size = *x.shape.last().expect("a row has an axis");
        let entries = numel(&x.shape);
        if size > LONGEST {
            let error = Error::unsupported(format!(
                "sort_order: rows of {size} entries on a GPU, where {LONGEST} are the most; run the network on the CPU"
            ));
            return Tensor { shape: x.shape.clone(), storage: Err(error) };
        }
        self.launch(Launch {
            kernel: &kernels::SORT_ORDER,
            inputs: &[&x.storage],
            shape: &x.shape,
            words: &[word(entries), word(size), u32::from(descending)],
            groups: groups(entries),
            work: 1024.0 * TOUCH * (1 + size) as f64,
        })
    }
}
