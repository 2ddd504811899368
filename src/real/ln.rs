//! ln(x) and ln(1 + x).
//!
//! x = 2^k m with sqrt(1/2) <= m < sqrt(2), so ln(x) = k ln(2) + ln(m). And ln(m) = 2 atanh(s) with
//! s = (m - 1) / (m + 1). Its series in s converges fast.

use super::polynomial::polynomial;
use super::{Real, ln2};

/// ln(x), with an error of up to 0.81 units in the last place in `f32`.
#[inline(always)]
pub(super) fn ln<R: Real>(x: R) -> R {
    // A subnormal number is scaled by 2^64.
    let smallest_normal = if R::SINGLE { f32::MIN_POSITIVE.into() } else { f64::MIN_POSITIVE };
    let tiny = x < R::from_f64(smallest_normal);
    let (scaled, less) = if tiny { (x * R::from_f64(0.5f64.powi(-64)), R::from_f64(64.0)) } else { (x, R::default()) };
    let (k, m) = scaled.exponent_and_fraction();
    with_ends(x, sum(k - less, m, R::default()))
}

/// ln(1 + x), with an error of up to 0.82 units in the last place in `f32`.
#[inline(always)]
pub(super) fn ln_1p<R: Real>(x: R) -> R {
    let one = R::from_f64(1.0);
    let u = one + x;
    // The rounding error of u, from the difference of u and the larger of 1 and x.
    let lost = if x > one { one - (u - x) } else { x - (u - one) };
    let (k, m) = u.exponent_and_fraction();
    // Keeps the sign of -0.
    if u == one { x } else { with_ends(u, sum(k, m, lost / u)) }
}

/// k ln(2) + ln(m) + more, where `more` is tiny.
#[inline(always)]
fn sum<R: Real>(k: R, m: R, more: R) -> R {
    let f = m - R::from_f64(1.0);
    let s = f / (R::from_f64(2.0) + f);
    let (z, square) = (s * s, R::from_f64(0.5) * f * f);
    // 2 s = f - s f = f - f^2 / 2 + s f^2 / 2. f is exact, and the other terms are small compared with it.
    let small = s * (square + z * polynomial(z, &SINGLE, &DOUBLE));
    let (head, tail) = ln2();
    k * head + (f - (square - (small + (k * tail + more))))
}

/// `y`, or ln(x) where it is infinite or NaN.
#[inline(always)]
fn with_ends<R: Real>(x: R, y: R) -> R {
    let (zero, infinity) = (R::default(), R::from_f64(f64::INFINITY));
    let y = if x < infinity { y } else { x };
    let y = if x == zero { -infinity } else { y };
    if x < zero { R::from_f64(f64::NAN) } else { y }
}

// 2 atanh(s) = 2 s + s z q(z), z = s^2: q from tests/reference/fit_elementary.py.
const SINGLE: [f64; 4] = [0.6666666655404201, 0.4000012221181065, 0.28550778633191964, 0.23331614471843498];
const DOUBLE: [f64; 8] = [
    0.6666666666666666,
    0.40000000000000885,
    0.28571428570799784,
    0.22222222392581045,
    0.18181795547521137,
    0.15386244737621665,
    0.13268638369266825,
    0.13088034850927555,
];
