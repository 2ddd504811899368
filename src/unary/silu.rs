use super::sigmoid::{both_sides, times_sigmoid};
use super::{Function, limited};
use crate::attributes::Attributes;
use crate::error::Result;
use crate::real::{Pair, Real};

/// x sigmoid(x) = x / (1 + e^-x), also known as swish
///
/// With s = sigmoid(x), the first derivative is s (1 + x (1 - s)). The second is s (1 - s) (2 + x (1 - 2 s)).
///
/// On the far left the value goes to -0 (like x e^x) and both derivatives to 0. On the far right the value goes to x,
/// and the derivatives to 1 and 0.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Silu;

/// At this x, e^-|x| is 0, also times x^2.
const END: f64 = 2000.0;

impl Function for Silu {
    fn parse(name: &str, _: &Attributes) -> Option<Result<Self>> {
        (name == Silu.name()).then_some(Ok(Silu))
    }

    fn name(self) -> &'static str {
        "silu"
    }

    #[inline(always)]
    fn value<R: Real>(self, x: R) -> R {
        let x = if x < R::from_f64(-END) { R::from_f64(-END) } else { x };
        times_sigmoid(x, Pair::from(x))
    }

    #[inline(always)]
    fn first<R: Real>(self, x: R, _: R) -> R {
        let x = limited(x, END);
        let (s, rest) = both_sides(x);
        s * (R::from_f64(1.0) + x * rest)
    }

    #[inline(always)]
    fn second<R: Real>(self, x: R, _: R) -> R {
        let x = limited(x, END);
        let (s, rest) = both_sides(x);
        s * rest * (R::from_f64(2.0) + x * (rest - s))
    }

    fn cases() -> Vec<Self> {
        vec![Silu]
    }
}
