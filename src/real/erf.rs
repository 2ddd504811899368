//! erf(x), erfc(x) = 1 - erf(x), and erfc without its exponential.

use super::Real;
use super::pair::Pair;
use super::polynomial::polynomial;

/// erf(x)
#[inline(always)]
pub(super) fn erf<R: Real>(x: R) -> R {
    let near = x + x * near_zero::polynomial(x * x);
    let far = (R::of(1.0) - right(x.abs())).with_sign_of(x);
    if x.abs() < R::of(NEAR) { near } else { far }
}

/// erfc(x)
#[inline(always)]
pub(super) fn erfc<R: Real>(x: R) -> R {
    let one = R::of(1.0);
    let near = one - (x + x * near_zero::polynomial(x * x));
    let far = right(x.abs());
    let far = if x < R::default() { R::of(2.0) - far } else { far };
    // Right of 1/2, erfc is no longer large beside the error of erf.
    if x.abs() < R::of(0.5) { near } else { far }
}

/// e^(x^2) erfc(x) for x >= 0, which falls like 1 / x: a polynomial in t = (x - K) / (x + K), over x + K.
#[inline(always)]
pub(crate) fn scaled_erfc<R: Real>(x: R) -> R {
    const K: f64 = 4.0;
    let one_part = R::of(1.0) / (x + R::of(K));
    let t = (x - R::of(K)) * one_part;
    one_part * polynomial(t, &SINGLE, &DOUBLE)
}

/// erfc(x) for x >= 0.
#[inline(always)]
fn right<R: Real>(x: R) -> R {
    // It has vanished there.
    let x = if x > R::of(30.0) { R::of(30.0) } else { x };
    // The tail of x^2 counts, since e^-w has the relative error that w has absolutely.
    (-Pair::product(x, x)).exp() * scaled_erfc(x)
}

/// Left of this, erf is a polynomial.
const NEAR: f64 = 0.7;

/// erf(x) = x + x q(x^2), |x| < 0.7
mod near_zero {
    use super::*;

    #[inline(always)]
    pub fn polynomial<R: Real>(square: R) -> R {
        super::polynomial(square, &SINGLE, &DOUBLE)
    }

    // From tests/reference/fit_elementary.py, as those below.
    const SINGLE: [f64; 6] = [
        0.12837916641109168,
        -0.3761262884779174,
        0.11283551432031645,
        -0.026845080049222335,
        0.005139584184812626,
        -0.0006960912081708071,
    ];
    const DOUBLE: [f64; 11] = [
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
    1.095995657786438,
    -0.9765487217547384,
    0.7732089323418415,
    -0.5408543593834233,
    0.33084898447867067,
    -0.17400474091910278,
    0.07639189305070185,
    -0.026396806560847506,
    0.006094854825015495,
    -0.0002281841615613063,
    -0.0004455350243302506,
    0.00012761132607688904,
];
const DOUBLE: [f64; 25] = [
    1.095995661000491,
    -0.976548729080882,
    0.7732087022652371,
    -0.5408538313132345,
    0.3308515878780107,
    -0.1740109372399329,
    0.07638151490940508,
    -0.026370053340693672,
    0.0061120556534863925,
    -0.0002809588591883079,
    -0.0004550526593817673,
    0.00017681276807153315,
    -3.635329756508496e-06,
    -1.8860655851650423e-05,
    4.695056181536189e-06,
    1.423544943950122e-06,
    -8.478822846448528e-07,
    -7.440264267692018e-08,
    1.269526620028216e-07,
    -2.753680956835059e-10,
    -1.8208760359519016e-08,
    7.051218877756988e-10,
    2.3248139490706373e-09,
    -7.64653997246155e-11,
    -1.8622648765726154e-10,
];
