use super::Function;
use crate::attributes::Attributes;
use crate::error::Result;
use crate::real::Real;

/// ln(x), the natural logarithm
///
/// First derivative 1 / x, second -1 / x^2. At x = 0 (of either sign) the value is -infinity, and the derivatives are
/// infinity and -infinity. For x < 0 all three are NaN: the formulas of the derivatives have values there, but those of
/// another function, ln(-x).
///
/// At the far end: the value goes to infinity, both derivatives to 0.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Log;

impl Function for Log {
    fn parse(name: &str, _: &Attributes) -> Option<Result<Self>> {
        (name == Log.name()).then_some(Ok(Log))
    }

    fn name(self) -> &'static str {
        "log"
    }

    #[inline(always)]
    fn value<R: Real>(self, x: R) -> R {
        x.ln()
    }

    #[inline(always)]
    fn first<R: Real>(self, x: R, _: R) -> R {
        if x < R::default() {
            R::from_f64(f64::NAN)
        } else {
            // Without its sign, as -0 is 0 here.
            R::from_f64(1.0) / x.abs()
        }
    }

    #[inline(always)]
    fn second<R: Real>(self, x: R, y: R) -> R {
        // Not by x^2, which loses digits and vanishes where the derivative is still a number.
        -self.first(x, y) / x.abs()
    }

    fn cases() -> Vec<Self> {
        vec![Log]
    }

    fn kinks(self) -> Vec<f64> {
        vec![0.0]
    }

    fn domain(self) -> [f64; 2] {
        // Away from 0, where the derivatives grow without bound.
        [0.5, 2.5]
    }
}
