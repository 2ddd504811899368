//! Polynomials with coefficients per precision.

use super::Real;

/// The polynomial with these coefficients, constant term first, at x: `single` in `f32`, `double` in `f64`.
#[inline(always)]
pub(super) fn polynomial<R: Real, const S: usize, const D: usize>(x: R, single: &[f64; S], double: &[f64; D]) -> R {
    if R::SINGLE { horner(x, single) } else { horner(x, double) }
}

/// It does not use `mul_add`, which is a slow call on machines without the instruction.
#[inline(always)]
fn horner<R: Real, const N: usize>(x: R, coefficients: &[f64; N]) -> R {
    let mut sum = R::from_f64(coefficients[N - 1]);
    for k in (0..N - 1).rev() {
        sum = sum * x + R::from_f64(coefficients[k]);
    }
    sum
}
