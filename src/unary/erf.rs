use std::f64::consts::FRAC_2_SQRT_PI;

use super::{Function, limited};
use crate::attributes::Attributes;
use crate::error::Result;
use crate::real::Real;

/// erf(x), the error function
///
/// The first derivative is 2/sqrt(pi) e^(-x^2). The second is -2 x times the first.
///
/// At the far ends the value goes to -1 and 1, and both derivatives to 0.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Erf;

/// At this x, e^(-x^2) is 0, also times x.
const END: f64 = 100.0;

impl Function for Erf {
    fn parse(name: &str, _: &Attributes) -> Option<Result<Self>> {
        (name == Erf.name()).then_some(Ok(Erf))
    }

    fn name(self) -> &'static str {
        "erf"
    }

    #[inline(always)]
    fn value<R: Real>(self, x: R) -> R {
        x.erf()
    }

    #[inline(always)]
    fn first<R: Real>(self, x: R, _: R) -> R {
        // The rounding of x^2 costs relative accuracy in the tails, where the derivative is small. The absolute error
        // is at most half an epsilon.
        R::from_f64(FRAC_2_SQRT_PI) * (-(x * x)).exp()
    }

    #[inline(always)]
    fn second<R: Real>(self, x: R, y: R) -> R {
        let x = limited(x, END);
        R::from_f64(-2.0) * x * self.first(x, y)
    }

    fn cases() -> Vec<Self> {
        vec![Erf]
    }
}
