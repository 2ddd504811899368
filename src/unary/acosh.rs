use std::f64::consts::LN_2;

use super::asinh::{END, FAR};
use super::{Function, limited};
use crate::attributes::Attributes;
use crate::error::Result;
use crate::real::Real;

/// acosh(x), the inverse of cosh for x >= 1
///
/// The first derivative is 1 / sqrt(x^2 - 1). The second is -x / (x^2 - 1)^(3/2). At x = 1 the value is 0, the
/// derivatives are infinity and -infinity. For x < 1 all three are NaN.
///
/// At the far end the value goes to infinity, like ln(2 x), both derivatives to 0.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Acosh;

impl Function for Acosh {
    fn parse(name: &str, _: &Attributes) -> Option<Result<Self>> {
        (name == Acosh.name()).then_some(Ok(Acosh))
    }

    fn name(self) -> &'static str {
        "acosh"
    }

    #[inline(always)]
    fn value<R: Real>(self, x: R) -> R {
        // Near 1 by what x has above it.
        let above = x - R::from_f64(1.0);
        let near = (above + (above * (above + R::from_f64(2.0))).sqrt()).ln_1p();
        let far = x.ln() + R::from_f64(LN_2);
        let y = if x < R::from_f64(FAR) { near } else { far };
        // Left of -1 the formula has values, but the function has none.
        if x < R::from_f64(1.0) { R::from_f64(f64::NAN) } else { y }
    }

    #[inline(always)]
    fn first<R: Real>(self, x: R, _: R) -> R {
        let (x, one) = (limited(x, END), R::from_f64(1.0));
        let slope = one / ((x - one) * (x + one)).sqrt();
        // Left of -1 the formula has values, but the function has none.
        if x < one { R::from_f64(f64::NAN) } else { slope }
    }

    #[inline(always)]
    fn second<R: Real>(self, x: R, y: R) -> R {
        let first = self.first(x, y);
        let (x, one) = (limited(x, END), R::from_f64(1.0));
        -(x / ((x - one) * (x + one)) * first)
    }

    fn cases() -> Vec<Self> {
        vec![Acosh]
    }

    fn kinks(self) -> Vec<f64> {
        vec![1.0]
    }

    fn domain(self) -> [f64; 2] {
        // Away from 1, where the derivatives grow without bound.
        [1.5, 6.0]
    }
}
