use super::Function;
use crate::attributes::Attributes;
use crate::error::Result;
use crate::real::{Pair, Real};

/// 1 / (1 + e^-x)
///
/// With s = sigmoid(x), the first derivative is s (1 - s). The second is s (1 - s) (1 - 2 s).
///
/// At the far ends the value goes to 0 (like e^x) and 1, and both derivatives to 0.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sigmoid;

impl Function for Sigmoid {
    fn parse(name: &str, _: &Attributes) -> Option<Result<Self>> {
        (name == Sigmoid.name()).then_some(Ok(Sigmoid))
    }

    fn name(self) -> &'static str {
        "sigmoid"
    }

    #[inline(always)]
    fn value<R: Real>(self, x: R) -> R {
        // From e^-x for x > 0 and from e^x for x < 0. It never overflows.
        let (e, one) = ((-x.abs()).exp(), R::from_f64(1.0));
        let numerator = if x < R::default() { e } else { one };
        numerator / (one + e)
    }

    #[inline(always)]
    fn first<R: Real>(self, _: R, y: R) -> R {
        y * (R::from_f64(1.0) - y)
    }

    #[inline(always)]
    fn second<R: Real>(self, x: R, y: R) -> R {
        self.first(x, y) * (R::from_f64(1.0) - (y + y))
    }

    fn cases() -> Vec<Self> {
        vec![Sigmoid]
    }
}

/// sigmoid(x) and sigmoid(-x) = 1 - sigmoid(x), both to full relative accuracy.
#[inline(always)]
pub(super) fn both_sides<R: Real>(x: R) -> (R, R) {
    let e = (-x.abs()).exp();
    let large = R::from_f64(1.0) / (R::from_f64(1.0) + e);
    let small = e * large;
    if x < R::default() { (small, large) } else { (large, small) }
}

/// x sigmoid(w), accurate as long as the result is a normal number, even if sigmoid(w) is subnormal.
///
/// x must be finite if w.head < 0.
#[inline(always)]
pub(super) fn times_sigmoid<R: Real>(x: R, w: Pair<R>) -> R {
    let (one, zero) = (R::from_f64(1.0), R::default());
    let (left, far) = (w.head < zero, w.head < R::from_f64(-40.0));
    // On the far left sigmoid(w) is e^w to the last digit in both precisions. e^w may underflow when x e^w does not, so
    // it is scaled by 2^64. The scaling is exact.
    let enlarged = w.plus(Pair::constant(LN_2_TIMES_64.0, LN_2_TIMES_64.1));
    let exponent = if far { enlarged } else { w };
    let e = if left { exponent } else { -w }.exp();
    let numerator = if left { e } else { one };
    let denominator = if far { R::from_f64(2f64.powi(64)) } else { one + e };
    x * numerator / denominator
}

/// 64 ln(2), and its difference to the nearest `f64`
const LN_2_TIMES_64: (f64, f64) = (44.3614195558365, 1.4841899608616317e-15);
