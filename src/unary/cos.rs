use super::Function;
use crate::attributes::Attributes;
use crate::error::Result;
use crate::real::Real;

/// cos(x), x in radians
///
/// The first derivative is -sin(x). The second is -cos(x).
///
/// At the far ends: accurate for every finite x, however large; there is no limit, so that value and derivatives at the
/// infinities are NaN.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Cos;

impl Function for Cos {
    fn parse(name: &str, _: &Attributes) -> Option<Result<Self>> {
        (name == Cos.name()).then_some(Ok(Cos))
    }

    fn name(self) -> &'static str {
        "cos"
    }

    #[inline(always)]
    fn value<R: Real>(self, x: R) -> R {
        x.cos()
    }

    #[inline(always)]
    fn first<R: Real>(self, x: R, _: R) -> R {
        -x.sin()
    }

    #[inline(always)]
    fn second<R: Real>(self, _: R, y: R) -> R {
        -y
    }

    fn cases() -> Vec<Self> {
        vec![Cos]
    }
}
