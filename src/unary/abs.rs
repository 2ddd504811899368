use super::{Function, constant};
use crate::attributes::Attributes;
use crate::error::Result;
use crate::real::Real;

/// |x|
///
/// The first derivative is -1 for x < 0 and 1 for x > 0. The second is 0. At the kink, x = 0, the first derivative is
/// the mean of both sides, 0, as in PyTorch.
///
/// At the far ends the value is -x on the left and x on the right.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Abs;

impl Function for Abs {
    fn parse(name: &str, _: &Attributes) -> Option<Result<Self>> {
        (name == Abs.name()).then_some(Ok(Abs))
    }

    fn name(self) -> &'static str {
        "abs"
    }

    #[inline(always)]
    fn value<R: Real>(self, x: R) -> R {
        x.abs()
    }

    #[inline(always)]
    fn first<R: Real>(self, x: R, _: R) -> R {
        if x < R::default() {
            R::from_f64(-1.0)
        } else if x > R::default() {
            R::from_f64(1.0)
        } else {
            constant(0.0, x)
        }
    }

    #[inline(always)]
    fn second<R: Real>(self, x: R, _: R) -> R {
        constant(0.0, x)
    }

    fn cases() -> Vec<Self> {
        vec![Abs]
    }

    fn kinks(self) -> Vec<f64> {
        vec![0.0]
    }
}
