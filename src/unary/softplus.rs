use super::sigmoid::both_sides;
use super::{Function, Sigmoid};
use crate::attributes::Attributes;
use crate::error::Result;
use crate::real::Real;

/// ln(1 + e^x)
///
/// First derivative sigmoid(x), second sigmoid(x) sigmoid(-x).
///
/// This is the true function for every x. PyTorch returns x itself above 20, which differs by up to 2e-9.
///
/// At the far ends: the value goes to 0 on the left (like e^x), and both derivatives with it; on the right the value
/// goes to x, the derivatives to 1 and 0.
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
