use super::cosh::{FAR, half_exp};
use super::{Cosh, Function};
use crate::attributes::Attributes;
use crate::error::Result;
use crate::real::Real;

/// sinh(x) = (e^x - e^-x) / 2
///
/// The first derivative is cosh(x). The second is sinh(x).
///
/// At the far ends the value and the second derivative go to -infinity and infinity, the first derivative to infinity.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sinh;

impl Function for Sinh {
    fn parse(name: &str, _: &Attributes) -> Option<Result<Self>> {
        (name == Sinh.name()).then_some(Ok(Sinh))
    }

    fn name(self) -> &'static str {
        "sinh"
    }

    #[inline(always)]
    fn value<R: Real>(self, x: R) -> R {
        let size = x.abs();
        // With m = e^|x| - 1 it is (m + m / (1 + m)) / 2, in which nothing cancels.
        let m = size.exp_m1();
        let near = R::from_f64(0.5) * (m + m / (R::from_f64(1.0) + m));
        if size < R::from_f64(FAR) { near } else { half_exp(size) }.with_sign_of(x)
    }

    #[inline(always)]
    fn first<R: Real>(self, x: R, _: R) -> R {
        Cosh.value(x)
    }

    #[inline(always)]
    fn second<R: Real>(self, _: R, y: R) -> R {
        y
    }

    fn cases() -> Vec<Self> {
        vec![Sinh]
    }
}
