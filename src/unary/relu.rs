use super::{Function, constant};
use crate::attributes::Attributes;
use crate::error::Result;
use crate::real::Real;

/// max(x, 0)
///
/// The first derivative is 0 for x <= 0 and 1 for x > 0. The second is 0. At the kink, x = 0, the first derivative is
/// that of the left side, 0, as in PyTorch.
///
/// At the far ends the value is 0 on the left and x on the right.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Relu;

impl Function for Relu {
    fn parse(name: &str, _: &Attributes) -> Option<Result<Self>> {
        (name == Relu.name()).then_some(Ok(Relu))
    }

    fn name(self) -> &'static str {
        "relu"
    }

    #[inline(always)]
    fn value<R: Real>(self, x: R) -> R {
        // With this comparison NaN stays NaN.
        if x <= R::default() { R::default() } else { x }
    }

    #[inline(always)]
    fn first<R: Real>(self, x: R, _: R) -> R {
        if x <= R::default() { R::default() } else { constant(1.0, x) }
    }

    #[inline(always)]
    fn second<R: Real>(self, x: R, _: R) -> R {
        constant(0.0, x)
    }

    fn cases() -> Vec<Self> {
        vec![Relu]
    }

    fn kinks(self) -> Vec<f64> {
        vec![0.0]
    }
}
