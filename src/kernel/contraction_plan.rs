//! From what panels are for to how tiles are put together.

use super::outputs::Layout;
use crate::backend::{Addend, Contraction, ContractionPlan, Term};

/// An ordered pair of sides in the panels of rows and columns, and what their contraction is a part of.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Pair {
    pub parameter: usize,
    /// Which left sides; `None` stands for ones.
    pub left: Option<[usize; 2]>,
    /// Which right sides.
    pub right: [usize; 2],
    pub weight: f64,
    pub contraction: Contraction,
}

impl Pair {
    /// A use that meets itself.
    pub fn alone(parameter: usize, left: Option<usize>, right: usize, weight: f64) -> Self {
        let left = left.map(|left| [left, left]);
        Pair { parameter, left, right: [right, right], weight, contraction: Contraction::Straight }
    }
}

/// The recipe for K. Pairs with the same right sides share the product.
pub(crate) fn contraction_plan(
    pairs: &[Pair],
    layout: &Layout,
    accumulator: &dyn Fn(usize) -> usize,
    accumulators: usize,
) -> ContractionPlan {
    let mut terms: Vec<Term> = Vec::new();
    for pair in pairs {
        let part = Addend { accumulator: accumulator(pair.parameter), weight: pair.weight, left: pair.left };
        let alike = |term: &&mut Term| term.right == pair.right && term.contraction == pair.contraction;
        match terms.iter_mut().find(alike) {
            Some(term) => term.parts.push(part),
            None => terms.push(Term { right: pair.right, contraction: pair.contraction, parts: vec![part] }),
        }
    }
    ContractionPlan {
        accumulators,
        blocks: layout.blocks,
        outputs_per_sample: layout.outputs_per_sample,
        one_hot_weight: layout.one_hot_weight,
        terms,
    }
}
