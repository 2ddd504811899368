//! How far the functions are off in `f32`, over a dense sample of all numbers, by those of `f64` from elsewhere; and
//! in `f64` by those, which are themselves off by up to one unit in the last place.

use super::Real;

/// Numbers of all sizes and signs, and more of them where functions have their shape.
fn singles() -> impl Iterator<Item = f32> {
    let all = (0..u32::MAX).step_by(10_007).map(f32::from_bits).filter(|x| x.is_finite());
    all.chain((-1_200_000..1_200_000).map(|k| k as f32 * 9.1e-5)).chain((-400_000..400_000).map(|k| k as f32 * 4.99e-6))
}

/// The largest distance of `f` from `want`, in units in the last place of f32, where `want` is a normal number.
fn off(f: impl Fn(f32) -> f32, want: impl Fn(f64) -> f64) -> f64 {
    let mut worst = (0.0, 0.0);
    for x in singles() {
        let (got, want) = (f64::from(f(x)), want(x.into()));
        if want.abs() < f32::MIN_POSITIVE.into() || want.is_nan() || (want as f32).is_infinite() {
            let rounded = f64::from(want as f32);
            let near = got == rounded || (got - want).abs() <= 3e-45 || (got.is_nan() && want.is_nan());
            assert!(near, "{got:?} and not {want:?} at {x:?}");
            continue;
        }
        let ulp = 2f64.powi(want.abs().log2().floor() as i32 - 23);
        let error = (got - want).abs() / ulp;
        if error.is_nan() || error > worst.0 {
            worst = (error, x);
        }
    }
    println!("off by {:.3} at {:?}", worst.0, worst.1);
    worst.0
}

/// The same in `f64`.
fn off_double(f: impl Fn(f64) -> f64, want: impl Fn(f64) -> f64) -> f64 {
    let mut worst = (0.0, 0.0);
    // Times a number that fills the digits.
    for x in singles().map(|x| f64::from(x) * 1.000_000_012_345_678_9) {
        let (got, want) = (f(x), want(x));
        if want.abs() < f64::MIN_POSITIVE || !want.is_finite() {
            let near = got == want || (got - want).abs() <= 1e-323 || (got.is_nan() && want.is_nan());
            assert!(near, "{got:?} and not {want:?} at {x:?}");
            continue;
        }
        let spacing = (((want.to_bits() >> 52) & 0x7ff) as i32 - 1023 - 52) / 2;
        let rest = ((want.to_bits() >> 52) & 0x7ff) as i32 - 1023 - 52 - spacing;
        let error = (got - want).abs() / 2f64.powi(spacing) / 2f64.powi(rest);
        if error.is_nan() || error > worst.0 {
            worst = (error, x);
        }
    }
    println!("f64: off by {:.3} at {:?}", worst.0, worst.1);
    worst.0
}

macro_rules! accurate {
    ($($f:ident: $single:literal and $double:literal, by $want:path;)*) => {
        $(
            #[test]
            fn $f() {
                assert!(off(<f32 as Real>::$f, $want) < $single);
                assert!(off_double(<f64 as Real>::$f, $want) < $double);
            }
        )*
    };
}

accurate! {
    exp: 9.0 and 9.0, by f64::exp;
    exp_m1: 9.0 and 9.0, by f64::exp_m1;
    ln: 9.0 and 9.0, by f64::ln;
    ln_1p: 9.0 and 9.0, by f64::ln_1p;
    tanh: 9.0 and 9.0, by f64::tanh;
    erf: 9.0 and 9.0, by libm::erf;
    erfc: 9.0 and 9.0, by libm::erfc;
}

#[test]
fn gelu() {
    use crate::unary::{Function, Gelu};
    let gelu = Gelu { approximate: false };
    // Not in f64, where the product's own rounding is blown up.
    assert!(off(|x| gelu.value(x), |x| 0.5 * x * libm::erfc(-x * std::f64::consts::FRAC_1_SQRT_2)) < 9.0);
}
