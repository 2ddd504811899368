//! erf(x), erfc(x) = 1 - erf(x), and e^(x^2) erfc(x).

use super::Real;
use super::pair::Pair;
use super::polynomial::polynomial;

/// erf(x), with an error of up to 1.85 units in the last place in `f32`.
#[inline(always)]
pub(super) fn erf<R: Real>(x: R) -> R {
    let near = erf_near_zero(x);
    let far = (R::from_f64(1.0) - right(x.abs())).with_sign_of(x);
    if x.abs() < R::from_f64(NEAR) { near } else { far }
}

/// erfc(x), with an error of up to 3.95 units in the last place in `f32`.
#[inline(always)]
pub(super) fn erfc<R: Real>(x: R) -> R {
    let one = R::from_f64(1.0);
    let near = one - erf_near_zero(x);
    let far = right(x.abs());
    let far = if x < R::default() { R::from_f64(2.0) - far } else { far };
    if x.abs() < R::from_f64(NEAR) { near } else { far }
}

/// e^(x^2) erfc(x) for x >= 0, which falls like 1 / x: a polynomial in t = (x - 3) / (x + 3), divided by 1 + 2 x.
///
/// Times 1 + 2 x it varies little from 0 to infinity. So the roundings of t and of the higher terms matter little.
#[inline(always)]
pub(crate) fn scaled_erfc<R: Real>(x: R) -> R {
    let one = R::from_f64(1.0);
    // t from a form that is exact at x = 0, where the polynomial is steepest.
    let half_way = x / (x + R::from_f64(3.0));
    let t = (half_way + half_way) - one;
    polynomial(t, &SINGLE, &DOUBLE) / (one + (x + x))
}

/// erfc(x) for x >= 0.
#[inline(always)]
fn right<R: Real>(x: R) -> R {
    // It is 0 here.
    let x = if x > R::from_f64(30.0) { R::from_f64(30.0) } else { x };
    // The tail of x^2 matters: the relative error of e^-w is the absolute error of w.
    (-Pair::product(x, x)).exp() * scaled_erfc(x)
}

/// Below this limit erf is a polynomial, and erfc is large enough that the rounding of erf does not matter.
const NEAR: f64 = 0.7;

/// erf(x) = x + x q(x^2) for |x| < 0.7
#[inline(always)]
pub(crate) fn erf_near_zero<R: Real>(x: R) -> R {
    x + x * polynomial(x * x, &near_zero::SINGLE, &near_zero::DOUBLE)
}

/// The coefficients here and below are from tests/reference/fit_elementary.py.
mod near_zero {
    pub const SINGLE: [f64; 6] = [
        0.12837916641109168,
        -0.3761262884779174,
        0.11283551432031645,
        -0.026845080049222335,
        0.005139584184812626,
        -0.0006960912081708071,
    ];
    pub const DOUBLE: [f64; 11] = [
        0.1283791670955126,
        -0.3761263890318374,
        0.11283791670954366,
        -0.026866170644889293,
        0.005223977621486628,
        -0.0008548326645821583,
        0.00012055310473482823,
        -1.4924786772129014e-05,
        1.6440743601993344e-06,
        -1.603480737538669e-07,
        1.1851278979934378e-08,
    ];
}

const SINGLE: [f64; 12] = [
    1.2530080563514496,
    -0.13562110005839803,
    -0.047562156146354076,
    0.1296447209153884,
    -0.11927528136881009,
    0.06831319671956372,
    -0.023763559702172088,
    0.0025067786718598333,
    0.001875060245867973,
    -0.0007340820503933423,
    -9.25376912641456e-05,
    8.007454974776248e-05,
];
const DOUBLE: [f64; 25] = [
    1.2530080582697296,
    -0.13562110612458117,
    -0.04756229435345087,
    0.1296451587027606,
    -0.11927366341530699,
    0.06830802734397848,
    -0.023770514918645888,
    0.002529391816066239,
    0.0018886903591561553,
    -0.0007798322721083991,
    -0.00010515979981501177,
    0.00012509935235563107,
    4.949484992570595e-06,
    -2.0100567931289227e-05,
    -7.315105164159062e-07,
    3.472414602875686e-06,
    3.5683839153992204e-07,
    -6.166496077604353e-07,
    -1.4160064940265987e-07,
    1.0187000600072885e-07,
    4.180784698845582e-08,
    -1.3326364813003834e-08,
    -8.500397929772615e-09,
    9.885798831139365e-10,
    8.864219016427092e-10,
];
