use super::{Function, constant};
use crate::attributes::Attributes;
use crate::error::Result;
use crate::real::Real;

/// The integer nearest to x, and of two the even one
///
/// Both derivatives are 0, also at the steps, which are half way between integers.
///
/// At the far ends: x itself.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Round;

impl Function for Round {
    fn parse(name: &str, _: &Attributes) -> Option<Result<Self>> {
        (name == Round.name()).then_some(Ok(Round))
    }

    fn name(self) -> &'static str {
        "round"
    }

    #[inline(always)]
    fn value<R: Real>(self, x: R) -> R {
        x.round()
    }

    #[inline(always)]
    fn first<R: Real>(self, x: R, _: R) -> R {
        constant(0.0, x)
    }

    #[inline(always)]
    fn second<R: Real>(self, x: R, _: R) -> R {
        constant(0.0, x)
    }

    fn cases() -> Vec<Self> {
        vec![Round]
    }

    fn kinks(self) -> Vec<f64> {
        // Tests look between -8 and 8.
        (-8..8).map(|k| f64::from(k) + 0.5).collect()
    }
}
