use super::Function;
use super::asin::one_less_square;
use crate::attributes::Attributes;
use crate::error::Result;
use crate::real::Real;

/// atanh(x), the inverse of tanh
///
/// The first derivative is 1 / (1 - x^2). The second is 2 x / (1 - x^2)^2. At x = -1 and x = 1 the value and the second
/// derivative are -infinity and infinity, the first derivative is infinity. For |x| > 1 all three are NaN.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Atanh;

impl Function for Atanh {
    fn parse(name: &str, _: &Attributes) -> Option<Result<Self>> {
        (name == Atanh.name()).then_some(Ok(Atanh))
    }

    fn name(self) -> &'static str {
        "atanh"
    }

    #[inline(always)]
    fn value<R: Real>(self, x: R) -> R {
        let size = x.abs();
        (R::from_f64(0.5) * ((size + size) / (R::from_f64(1.0) - size)).ln_1p()).with_sign_of(x)
    }

    #[inline(always)]
    fn first<R: Real>(self, x: R, _: R) -> R {
        let below = one_less_square(x);
        // Outside of the ends the formula has values, but the function has none.
        if below < R::default() { R::from_f64(f64::NAN) } else { R::from_f64(1.0) / below }
    }

    #[inline(always)]
    fn second<R: Real>(self, x: R, y: R) -> R {
        let first = self.first(x, y);
        (x + x) * (first * first)
    }

    fn cases() -> Vec<Self> {
        vec![Atanh]
    }

    fn kinks(self) -> Vec<f64> {
        vec![-1.0, 1.0]
    }

    fn domain(self) -> [f64; 2] {
        // Away from the ends, where the derivatives grow without bound.
        [-0.6, 0.6]
    }
}
