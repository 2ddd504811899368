use super::Function;
use crate::attributes::Attributes;
use crate::error::Result;
use crate::real::Real;

/// asin(x), the inverse of the sine, in radians
///
/// The first derivative is 1 / sqrt(1 - x^2). The second is x / (1 - x^2)^(3/2). At x = -1 and x = 1 the first
/// derivative is infinite, the second -infinity and infinity. For |x| > 1 all three are NaN.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Asin;

impl Function for Asin {
    fn parse(name: &str, _: &Attributes) -> Option<Result<Self>> {
        (name == Asin.name()).then_some(Ok(Asin))
    }

    fn name(self) -> &'static str {
        "asin"
    }

    #[inline(always)]
    fn value<R: Real>(self, x: R) -> R {
        x.asin()
    }

    #[inline(always)]
    fn first<R: Real>(self, x: R, _: R) -> R {
        R::from_f64(1.0) / one_less_square(x).sqrt()
    }

    #[inline(always)]
    fn second<R: Real>(self, x: R, y: R) -> R {
        x / one_less_square(x) * self.first(x, y)
    }

    fn cases() -> Vec<Self> {
        vec![Asin]
    }

    fn kinks(self) -> Vec<f64> {
        vec![-1.0, 1.0]
    }

    fn domain(self) -> [f64; 2] {
        // Away from the ends, where the derivatives grow without bound.
        [-0.6, 0.6]
    }
}

/// 1 - x^2 in factors, as it cancels near the ends.
#[inline(always)]
pub(super) fn one_less_square<R: Real>(x: R) -> R {
    (R::from_f64(1.0) - x) * (R::from_f64(1.0) + x)
}
