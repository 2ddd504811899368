use super::Function;
use crate::attributes::Attributes;
use crate::error::Result;
use crate::real::Real;

/// sqrt(x)
///
/// The first derivative is 1 / (2 sqrt(x)). The second is -1 / (4 x sqrt(x)). At x = 0 (of either sign) the value is x,
/// and the derivatives are infinity and -infinity. For x < 0 all three are NaN.
///
/// At the far end the value goes to infinity, and both derivatives to 0.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sqrt;

impl Function for Sqrt {
    fn parse(name: &str, _: &Attributes) -> Option<Result<Self>> {
        (name == Sqrt.name()).then_some(Ok(Sqrt))
    }

    fn name(self) -> &'static str {
        "sqrt"
    }

    #[inline(always)]
    fn value<R: Real>(self, x: R) -> R {
        x.sqrt()
    }

    #[inline(always)]
    fn first<R: Real>(self, _: R, y: R) -> R {
        // Without the sign: the root of -0 is -0.
        R::from_f64(0.5) / y.abs()
    }

    #[inline(always)]
    fn second<R: Real>(self, x: R, y: R) -> R {
        // Without x * y, which can overflow or underflow when the derivative does not.
        R::from_f64(-0.5) * self.first(x, y) / x.abs()
    }

    fn cases() -> Vec<Self> {
        vec![Sqrt]
    }

    fn kinks(self) -> Vec<f64> {
        vec![0.0]
    }

    fn domain(self) -> [f64; 2] {
        // Away from 0: there the derivatives are unbounded.
        [0.5, 2.5]
    }
}
