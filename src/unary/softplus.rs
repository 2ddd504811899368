use super::sigmoid::both_sides;
use super::{Function, Sigmoid};
use crate::attributes::Attributes;
use crate::error::Result;
use crate::real::Real;

/// ln(1 + e^x)
///
/// The first derivative is sigmoid(x). The second is sigmoid(x) sigmoid(-x).
///
/// The formula holds for every x. PyTorch returns x above 20, which differs by up to 2e-9.
///
/// On the far left the value (like e^x) and both derivatives go to 0. On the far right the value goes to x, and the
/// derivatives to 1 and 0.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Softplus;

impl Function for Softplus {
    fn parse(name: &str, _: &Attributes) -> Option<Result<Self>> {
        (name == Softplus.name()).then_some(Ok(Softplus))
    }

    fn name(self) -> &'static str {
        "softplus"
    }

    #[inline(always)]
    fn value<R: Real>(self, x: R) -> R {
        // max(x, 0) + ln(1 + e^-|x|) is the same and never overflows.
        let positive_part = if x <= R::default() { R::default() } else { x };
        positive_part + (-x.abs()).exp().ln_1p()
    }

    #[inline(always)]
    fn first<R: Real>(self, x: R, _: R) -> R {
        Sigmoid.value(x)
    }

    #[inline(always)]
    fn second<R: Real>(self, x: R, _: R) -> R {
        let (s, rest) = both_sides(x);
        s * rest
    }

    fn cases() -> Vec<Self> {
        vec![Softplus]
    }
}
