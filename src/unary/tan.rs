use super::Function;
use crate::attributes::Attributes;
use crate::error::Result;
use crate::real::Real;

/// tan(x), x in radians
///
/// The first derivative is 1 + tan(x)^2. The second is 2 tan(x) (1 + tan(x)^2). No number is so near to a pole that the
/// value is infinite.
///
/// At the far ends: accurate for every finite x, however large; there is no limit, so that value and derivatives at the
/// infinities are NaN.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Tan;

impl Function for Tan {
    fn parse(name: &str, _: &Attributes) -> Option<Result<Self>> {
        (name == Tan.name()).then_some(Ok(Tan))
    }

    fn name(self) -> &'static str {
        "tan"
    }

    #[inline(always)]
    fn value<R: Real>(self, x: R) -> R {
        x.tan()
    }

    #[inline(always)]
    fn first<R: Real>(self, _: R, y: R) -> R {
        R::from_f64(1.0) + y * y
    }

    #[inline(always)]
    fn second<R: Real>(self, x: R, y: R) -> R {
        (y + y) * self.first(x, y)
    }

    fn cases() -> Vec<Self> {
        vec![Tan]
    }

    fn domain(self) -> [f64; 2] {
        // Away from the poles, where the derivatives grow without bound.
        [-1.0, 1.0]
    }
}
