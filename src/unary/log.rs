use super::Function;
use crate::attributes::Attributes;
use crate::error::Result;
use crate::real::Real;

/// ln(x), the natural logarithm
///
/// The first derivative is 1 / x. The second is -1 / x^2. At x = 0 (of either sign) the value is -infinity, and the
/// derivatives are infinity and -infinity. For x < 0 all three are NaN.
///
/// At the far end the value goes to infinity, and both derivatives to 0.
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
            // Without the sign: -0 counts as 0.
            R::from_f64(1.0) / x.abs()
        }
    }

    #[inline(always)]
    fn second<R: Real>(self, x: R, y: R) -> R {
        // Without x^2, which loses digits and underflows when the derivative does not.
        -self.first(x, y) / x.abs()
    }

    fn cases() -> Vec<Self> {
        vec![Log]
    }

    fn kinks(self) -> Vec<f64> {
        vec![0.0]
    }

    fn domain(self) -> [f64; 2] {
        // Away from 0: there the derivatives are unbounded.
        [0.5, 2.5]
    }
}
