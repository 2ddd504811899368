//! From what panels are for to how tiles are put together.

use super::outputs::Layout;
use crate::backend::{Part, Recipe, Term};

/// What one use of a parameter put into the panels of a block.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Entry {
    pub parameter: usize,
    /// Which left side; `None` stands for ones.
    pub left: Option<usize>,
    /// Which right side.
    pub right: usize,
}

/// The recipe for K from the entries of panels: every ordered pair of uses of a parameter counts, so tied weights need
/// no special case. Pairs with the same right sides share the product.
pub(crate) fn recipe(entries: &[Entry], layout: &Layout, slot: &dyn Fn(usize) -> usize, slots: usize) -> Recipe {
    let mut terms: Vec<Term> = Vec::new();
    for row in entries {
        for col in entries.iter().filter(|col| col.parameter == row.parameter) {
            let right = [row.right, col.right];
            let left = row.left.zip(col.left).map(|(row, col)| [row, col]);
            let part = Part { slot: slot(row.parameter), left };
            match terms.iter_mut().find(|term| term.right == right) {
                Some(term) => term.parts.push(part),
                None => terms.push(Term { right, parts: vec![part] }),
            }
        }
    }
    Recipe { slots, blocks: layout.blocks, inner: layout.inner, unit_weight: layout.unit_weight, terms }
}
