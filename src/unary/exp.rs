use super::Function;
use crate::attributes::Attributes;
use crate::error::Result;
use crate::real::Real;

/// e^x
///
/// Both derivatives are e^x.
///
/// On the far left all three go to 0. On the far right they are infinite beyond the range of the numbers, above x =
/// 88.7 in `f32` and x = 709.7 in `f64`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Exp;

impl Function for Exp {
    fn parse(name: &str, _: &Attributes) -> Option<Result<Self>> {
        (name == Exp.name()).then_some(Ok(Exp))
    }

    fn name(self) -> &'static str {
        "exp"
    }

    #[inline(always)]
    fn value<R: Real>(self, x: R) -> R {
        x.exp()
    }

    #[inline(always)]
    fn first<R: Real>(self, _: R, y: R) -> R {
        y
    }

    #[inline(always)]
    fn second<R: Real>(self, _: R, y: R) -> R {
        y
    }

    fn cases() -> Vec<Self> {
        vec![Exp]
    }
}
