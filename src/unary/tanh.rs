use super::Function;
use crate::attributes::Attributes;
use crate::error::Result;
use crate::real::Real;

/// tanh(x)
///
/// The first derivative is 1 - tanh(x)^2. The second is -2 tanh(x) (1 - tanh(x)^2).
///
/// At the far ends the value goes to -1 and 1, and both derivatives to 0.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Tanh;

impl Function for Tanh {
    fn parse(name: &str, _: &Attributes) -> Option<Result<Self>> {
        (name == Tanh.name()).then_some(Ok(Tanh))
    }

    fn name(self) -> &'static str {
        "tanh"
    }

    #[inline(always)]
    fn value<R: Real>(self, x: R) -> R {
        x.tanh()
    }

    #[inline(always)]
    fn first<R: Real>(self, _: R, y: R) -> R {
        // Factored: 1 - y^2 cancels near the ends.
        (R::from_f64(1.0) - y) * (R::from_f64(1.0) + y)
    }

    #[inline(always)]
    fn second<R: Real>(self, x: R, y: R) -> R {
        R::from_f64(-2.0) * y * self.first(x, y)
    }

    fn cases() -> Vec<Self> {
        vec![Tanh]
    }
}
