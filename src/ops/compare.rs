//! y = 1 where a relation holds between x1 and x2, else 0.

use super::add::broadcast_shape;
use super::{Case, Op, OpContext, expect_arity};
use crate::attributes::Attributes;
use crate::backend::{Arrays, Relation};
use crate::error::Result;

/// y = 1 where the relation holds between x1 and x2, entry by entry, and 0 elsewhere. Shapes are of one rank; an axis of
/// size 1 is stretched. With NaN no relation holds.
///
/// The result is piecewise constant: both cotangents are 0.
///
/// Descriptions call it `equal`, `less` or `less_or_equal`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Compare {
    /// The relation.
    pub relation: Relation,
}

impl Op for Compare {
    fn name(&self) -> &'static str {
        match self.relation {
            Relation::Equal => "equal",
            Relation::Less => "less",
            Relation::LessOrEqual => "less_or_equal",
        }
    }

    fn parse(name: &str, _attributes: &Attributes) -> Option<Result<Self>> {
        let relation = match name {
            "equal" => Relation::Equal,
            "less" => Relation::Less,
            "less_or_equal" => Relation::LessOrEqual,
            _ => return None,
        };
        Some(Ok(Compare { relation }))
    }

    fn shape(&self, inputs: &[&[usize]], parameters: &[&[usize]]) -> Result<Vec<usize>> {
        expect_arity(self, inputs, parameters, 2, 0..=0)?;
        broadcast_shape(self, inputs[0], inputs[1])
    }

    fn forward<B: Arrays>(&self, ctx: &OpContext<'_, B>) -> B::Tensor {
        ctx.arrays.compare(self.relation, ctx.inputs[0], ctx.inputs[1])
    }

    fn pull<B: Arrays>(&self, ctx: &OpContext<'_, B>, _y: &B::Tensor, _dy: &B::Tensor, input: usize) -> B::Tensor {
        ctx.arrays.full(0.0, ctx.input_shape(input))
    }

    fn piecewise_constant_in(&self, _input: usize) -> bool {
        true
    }

    fn cases() -> Vec<Case<Self>> {
        let cases = |relation| {
            let op = Compare { relation };
            vec![Case::new(op, &[&[3, 4], &[1, 4]], &[]), Case::new(op, &[&[6], &[6]], &[]).whole(0, 2).whole(1, 2)]
        };
        [Relation::Equal, Relation::Less, Relation::LessOrEqual].into_iter().flat_map(cases).collect()
    }
}
