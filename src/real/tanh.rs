//! tanh(x).

use super::Real;
use super::exp::falling;

/// tanh(x): of |x|, with the sign of x; off by up to 2.2 units in the last place in `f32`.
///
/// With e = e^-2|x| it is (1 - e) / (1 + e) near 0, and 1 - 2 e / (1 + e) from where that is the sum of 1 and of what is
/// no larger than 1/2: so that the rounding of the quotient counts least. Nothing cancels or overflows.
#[inline(always)]
pub(super) fn tanh<R: Real>(x: R) -> R {
    let one = R::from_f64(1.0);
    let (e, missing) = falling(x.abs() + x.abs());
    let near = x.abs() < R::from_f64(0.55);
    let quotient = if near { missing } else { e + e } / (one + e);
    if near { quotient } else { one - quotient }.with_sign_of(x)
}
