//! Turns pairs of panels into a plan of contractions.

use super::outputs::Layout;
use crate::backend::{Addend, Contraction, ContractionPlan, Term};

/// An ordered pair of operands in the panels of rows and columns, and the parameter that their contraction belongs to.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Pair {
    pub parameter: usize,
    /// Indices of the left panels; `None` means ones.
    pub left: Option<[usize; 2]>,
    /// Indices of the right panels.
    pub right: [usize; 2],
    pub weight: f64,
    pub contraction: Contraction,
}

impl Pair {
    /// The pair of a use with itself.
    pub fn with_itself(parameter: usize, left: Option<usize>, right: usize, weight: f64) -> Self {
        let left = left.map(|left| [left, left]);
        Pair { parameter, left, right: [right, right], weight, contraction: Contraction::Straight }
    }
}

/// The contractions of K. Pairs with the same right panels share one product.
pub(crate) fn contraction_plan(
    pairs: &[Pair],
    layout: &Layout,
    accumulator: &dyn Fn(usize) -> usize,
    accumulators: usize,
) -> ContractionPlan {
    let mut terms: Vec<Term> = Vec::new();
    for pair in pairs {
        let addend = Addend { accumulator: accumulator(pair.parameter), weight: pair.weight, left: pair.left };
        let same_product = |term: &&mut Term| term.right == pair.right && term.contraction == pair.contraction;
        match terms.iter_mut().find(same_product) {
            Some(term) => term.parts.push(addend),
            None => terms.push(Term { right: pair.right, contraction: pair.contraction, parts: vec![addend] }),
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
