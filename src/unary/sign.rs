use super::{Function, constant};
use crate::attributes::Attributes;
use crate::error::Result;
use crate::real::Real;

/// -1 for x < 0, 1 for x > 0, and 0 for x = 0
///
/// Both derivatives are 0, also at the step, x = 0, as in PyTorch.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sign;

impl Function for Sign {
    fn parse(name: &str, _: &Attributes) -> Option<Result<Self>> {
        (name == Sign.name()).then_some(Ok(Sign))
    }

    fn name(self) -> &'static str {
        "sign"
    }

    #[inline(always)]
    fn value<R: Real>(self, x: R) -> R {
        if x > R::default() {
            R::from_f64(1.0)
        } else if x < R::default() {
            R::from_f64(-1.0)
        } else {
            // Zero, or NaN, which stays NaN.
            constant(0.0, x)
        }
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
        vec![Sign]
    }

    fn kinks(self) -> Vec<f64> {
        vec![0.0]
    }
}
