use super::Function;
use crate::attributes::Attributes;
use crate::error::Result;
use crate::real::Real;

/// sin(x), x in radians
///
/// The first derivative is cos(x). The second is -sin(x).
///
/// It is accurate for every finite x. It has no limit, so the value and the derivatives at the infinities are NaN.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sin;

impl Function for Sin {
    fn parse(name: &str, _: &Attributes) -> Option<Result<Self>> {
        (name == Sin.name()).then_some(Ok(Sin))
    }

    fn name(self) -> &'static str {
        "sin"
    }

    #[inline(always)]
    fn value<R: Real>(self, x: R) -> R {
        x.sin()
    }

    #[inline(always)]
    fn first<R: Real>(self, x: R, _: R) -> R {
        x.cos()
    }

    #[inline(always)]
    fn second<R: Real>(self, _: R, y: R) -> R {
        -y
    }

    fn cases() -> Vec<Self> {
        vec![Sin]
    }
}
