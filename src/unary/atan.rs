use super::{Function, limited};
use crate::attributes::Attributes;
use crate::error::Result;
use crate::real::Real;

/// atan(x), the inverse of the tangent, in radians
///
/// The first derivative is 1 / (1 + x^2). The second is -2 x / (1 + x^2)^2.
///
/// At the far ends the value goes to -pi/2 and pi/2, both derivatives to 0.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Atan;

/// Where the derivatives have vanished, even times x.
const END: f64 = 1e12;

impl Function for Atan {
    fn parse(name: &str, _: &Attributes) -> Option<Result<Self>> {
        (name == Atan.name()).then_some(Ok(Atan))
    }

    fn name(self) -> &'static str {
        "atan"
    }

    #[inline(always)]
    fn value<R: Real>(self, x: R) -> R {
        x.atan()
    }

    #[inline(always)]
    fn first<R: Real>(self, x: R, _: R) -> R {
        R::from_f64(1.0) / (R::from_f64(1.0) + x * x)
    }

    #[inline(always)]
    fn second<R: Real>(self, x: R, y: R) -> R {
        let first = self.first(x, y);
        R::from_f64(-2.0) * limited(x, END) * (first * first)
    }

    fn cases() -> Vec<Self> {
        vec![Atan]
    }
}
