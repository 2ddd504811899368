//! Comparisons of two numbers.

use crate::real::Real;

/// A comparison of two numbers. None of them holds if one of the numbers is NaN.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Relation {
    /// x = y
    Equal,
    /// x < y
    Less,
    /// x <= y
    LessOrEqual,
}

impl Relation {
    /// Whether it holds between `x` and `y`.
    #[inline(always)]
    pub fn holds<R: Real>(self, x: R, y: R) -> bool {
        match self {
            Relation::Equal => x == y,
            Relation::Less => x < y,
            Relation::LessOrEqual => x <= y,
        }
    }
}
