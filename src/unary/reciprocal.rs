use super::Function;
use crate::attributes::Attributes;
use crate::error::Result;
use crate::real::Real;

/// 1 / x
///
/// The first derivative is -1 / x^2. The second is 2 / x^3. At x = 0 all three are infinite. The value and the second
/// derivative have the sign of the zero, and the first derivative is negative.
///
/// At the far ends all three go to 0 and keep their sign.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Reciprocal;

impl Function for Reciprocal {
    fn parse(name: &str, _: &Attributes) -> Option<Result<Self>> {
        (name == Reciprocal.name()).then_some(Ok(Reciprocal))
    }

    fn name(self) -> &'static str {
        "reciprocal"
    }

    #[inline(always)]
    fn value<R: Real>(self, x: R) -> R {
        R::from_f64(1.0) / x
    }

    #[inline(always)]
    fn first<R: Real>(self, _: R, y: R) -> R {
        // From y: x^2 loses digits when 1 / x^2 is subnormal.
        -(y * y)
    }

    #[inline(always)]
    fn second<R: Real>(self, _: R, y: R) -> R {
        // In this order no factor overflows or underflows before the product does.
        (y * y) * (y + y)
    }

    fn cases() -> Vec<Self> {
        vec![Reciprocal]
    }

    fn kinks(self) -> Vec<f64> {
        vec![0.0]
    }

    fn domain(self) -> [f64; 2] {
        // Away from 0: there the derivatives are unbounded.
        [0.5, 2.5]
    }
}
