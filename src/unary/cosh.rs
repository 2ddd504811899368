use super::{Function, Sinh};
use crate::attributes::Attributes;
use crate::error::Result;
use crate::real::Real;

/// cosh(x) = (e^x + e^-x) / 2
///
/// The first derivative is sinh(x). The second is cosh(x).
///
/// At the far ends the value and the second derivative go to infinity, the first derivative to -infinity and infinity.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Cosh;

/// From here on e^-x is too small to change e^x in either precision.
pub(super) const FAR: f64 = 20.0;

/// e^x / 2, in two factors, as e^x may overflow where half of it does not.
#[inline(always)]
pub(super) fn half_exp<R: Real>(x: R) -> R {
    let root = (R::from_f64(0.5) * x).exp();
    (R::from_f64(0.5) * root) * root
}

impl Function for Cosh {
    fn parse(name: &str, _: &Attributes) -> Option<Result<Self>> {
        (name == Cosh.name()).then_some(Ok(Cosh))
    }

    fn name(self) -> &'static str {
        "cosh"
    }

    #[inline(always)]
    fn value<R: Real>(self, x: R) -> R {
        let size = x.abs();
        let e = size.exp();
        let near = R::from_f64(0.5) * (e + R::from_f64(1.0) / e);
        if size < R::from_f64(FAR) { near } else { half_exp(size) }
    }

    #[inline(always)]
    fn first<R: Real>(self, x: R, _: R) -> R {
        Sinh.value(x)
    }

    #[inline(always)]
    fn second<R: Real>(self, _: R, y: R) -> R {
        y
    }

    fn cases() -> Vec<Self> {
        vec![Cosh]
    }
}
