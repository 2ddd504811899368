//! tanh(x).

use super::Real;
use super::exp::falling;

/// tanh(x), with an error of up to 2.2 units in the last place in `f32`. It is computed from |x|, with the sign of x.
///
/// With e = e^-2|x| it is (1 - e) / (1 + e) near 0. It is 1 - 2 e / (1 + e) if the second term is at most 1/2. The
/// rounding of the quotient then matters least. Nothing cancels or overflows.
#[inline(always)]
pub(super) fn tanh<R: Real>(x: R) -> R {
    let one = R::from_f64(1.0);
    let (e, missing) = falling(x.abs() + x.abs());
    let near = x.abs() < R::from_f64(0.55);
    let quotient = if near { missing } else { e + e } / (one + e);
    if near { quotient } else { one - quotient }.with_sign_of(x)
}
