//! e^x and e^x - 1.
//!
//! x = k ln(2) + r with an integer k and |r| <= ln(2) / 2, so that e^x = 2^k e^r.

use std::f64::consts::LOG2_E;

use super::polynomial::polynomial;
use super::{Real, ln2};

/// e^x, with an error of up to 0.95 units in the last place in `f32`.
#[inline(always)]
pub(super) fn exp<R: Real>(x: R) -> R {
    exp_of_sum(x, R::default())
}

/// e^(x + tail), where |tail| is small compared with 1.
#[inline(always)]
pub(super) fn exp_of_sum<R: Real>(x: R, tail: R) -> R {
    // Beyond these limits it is 0 or infinite. NaN stays NaN.
    let (low, high) = if R::SINGLE { (-105.0, 89.0) } else { (-750.0, 710.0) };
    let x = if x < R::from_f64(low) { R::from_f64(low) } else { x };
    let x = if x > R::from_f64(high) { R::from_f64(high) } else { x };
    let (k, r) = reduced(x);
    // 2^k may be outside the normal numbers, so it is applied in two steps.
    let half = (R::from_f64(0.5) * k).nearest_integer();
    (R::from_f64(1.0) + less_one(r + tail)) * half.power_of_two() * (k - half).power_of_two()
}

/// e^x - 1, with an error of up to 1.43 units in the last place in `f32`.
#[inline(always)]
pub(super) fn exp_m1<R: Real>(x: R) -> R {
    let (one, half) = (R::from_f64(1.0), R::from_f64(0.5));
    // Below, it is -1 to the last digit. Above, it is infinite.
    let (low, high) = if R::SINGLE { (-30.0, 89.0) } else { (-60.0, 710.0) };
    let inner = if x < R::from_f64(low) { R::from_f64(low) } else { x };
    let inner = if inner > R::from_f64(high) { R::from_f64(high) } else { inner };
    let (k, r) = reduced(inner);
    // All terms are halved: 2^k alone may overflow.
    let power = (k - one).power_of_two();
    let y = less_one(r) * power + (power - half);
    // Keeps the sign of -0, and numbers with a subnormal half.
    if x.abs() < half * half * R::EPSILON { x } else { y + y }
}

/// e^-x and 1 - e^-x for x >= 0, both to full relative accuracy. e^-x is only accurate while 1 - e^-x is below 1.
#[inline(always)]
pub(super) fn falling<R: Real>(x: R) -> (R, R) {
    let one = R::from_f64(1.0);
    let end = R::from_f64(if R::SINGLE { 30.0 } else { 60.0 });
    let (k, r) = reduced(-if x > end { end } else { x });
    let (power, small) = (k.power_of_two(), less_one(r));
    (power + power * small, (one - power) - power * small)
}

/// k and r. 2^k must be close to the range of the numbers.
#[inline(always)]
fn reduced<R: Real>(x: R) -> (R, R) {
    let k = (R::from_f64(LOG2_E) * x).nearest_integer();
    let (head, tail) = ln2();
    (k, (x - k * head) - k * tail)
}

/// e^r - 1 for |r| <= ln(2) / 2.
#[inline(always)]
fn less_one<R: Real>(r: R) -> R {
    r + r * r * polynomial(r, &SINGLE, &DOUBLE)
}

// e^r = 1 + r + r^2 q(r): q from tests/reference/fit_elementary.py.
const SINGLE: [f64; 6] = [
    0.500000001353873,
    0.16666666681704215,
    0.04166646419740569,
    0.008333310844647862,
    0.0013933730715792083,
    0.00019891080463998843,
];
const DOUBLE: [f64; 12] = [
    0.5,
    0.16666666666666666,
    0.04166666666666668,
    0.008333333333333333,
    0.0013888888888879004,
    0.00019841269841263252,
    2.480158733663095e-05,
    2.7557319247344507e-06,
    2.755726307730941e-07,
    2.5052070959803662e-08,
    2.091821231913398e-09,
    1.6086677666787362e-10,
];
