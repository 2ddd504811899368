//! The errors of the functions over a dense sample of all numbers, compared with the `f64` functions of other
//! libraries. These have errors of up to one unit in the last place themselves, so the bounds in `f64` are coarse.

use super::Real;
use crate::unary::{Function, Gelu};

/// Numbers of all magnitudes and both signs, with more of them where the functions vary.
fn sample() -> impl Iterator<Item = f32> {
    let all = (0..u32::MAX).step_by(10_007).map(f32::from_bits).filter(|x| x.is_finite());
    let wide = (-1_200_000..1_200_000).map(|k| k as f32 * 9.1e-5);
    let near_zero = (-400_000..400_000).map(|k| k as f32 * 4.99e-6);
    all.chain(wide).chain(near_zero)
}

/// The distance from `x`, a normal number of precision `R`, to the next.
fn ulp<R: Real>(x: f64) -> f64 {
    let power_of_two = f64::from_bits(x.to_bits() & f64::INFINITY.to_bits());
    power_of_two * R::EPSILON.f64()
}

/// The largest distance of `f` from `expected`, in units in the last place of `R`, over all normal values of `expected`. Other
/// values must be met within the distance of subnormal numbers.
fn off<R: Real>(f: impl Fn(R) -> R, expected: impl Fn(f64) -> f64) -> f64 {
    let smallest_normal = if R::SINGLE { f32::MIN_POSITIVE.into() } else { f64::MIN_POSITIVE };
    // In f64, numbers that use all digits.
    let stretch = if R::SINGLE { 1.0 } else { 1.000_000_012_345_679 };
    let (mut worst, mut place) = (0.0, 0.0);
    for x in sample().map(|x| f64::from(x) * stretch) {
        let (got, expected) = (f(R::from_f64(x)).f64(), expected(x));
        if expected.abs() >= smallest_normal && R::from_f64(expected).is_finite() {
            let error = (got - expected).abs() / ulp::<R>(expected).max(f64::from_bits(1));
            if error.is_nan() || error > worst {
                (worst, place) = (error, x);
            }
        } else {
            let subnormals = smallest_normal * R::EPSILON.f64();
            let met = got == R::from_f64(expected).f64() || (got - expected).abs() <= 2.0 * subnormals;
            assert!(met || (got.is_nan() && expected.is_nan()), "{got:?} and not {expected:?} at {x:?}");
        }
    }
    println!("{}: off by {worst:.3} units in the last place at {place:?}", R::NAME);
    worst
}

macro_rules! accurate {
    ($($f:ident: $single:literal and $double:literal, by $expected:expr;)*) => {
        $(
            #[test]
            fn $f() {
                assert!(off::<f32>(Real::$f, $expected) < $single);
                assert!(off::<f64>(Real::$f, $expected) < $double);
            }
        )*
    };
}

accurate! {
    exp: 1.0 and 2.0, by f64::exp;
    exp_m1: 1.5 and 2.5, by f64::exp_m1;
    ln: 0.9 and 1.5, by f64::ln;
    ln_1p: 0.9 and 1.5, by f64::ln_1p;
    tanh: 2.2 and 3.5, by f64::tanh;
    erf: 1.9 and 3.0, by libm::erf;
    erfc: 4.0 and 5.5, by libm::erfc;
}

#[test]
fn gelu() {
    let gelu = Gelu { approximate: false };
    // In f32 only: there is no reference for f64 that is more accurate.
    let expected = |x: f64| 0.5 * x * libm::erfc(-x * std::f64::consts::FRAC_1_SQRT_2);
    assert!(off::<f32>(|x| gelu.value(x), expected) < 4.4);
}

#[test]
fn ends_and_zeros() {
    fn check<R: Real>() {
        let at = |f: fn(R) -> R, x: f64| f(R::from_f64(x)).f64().to_bits();
        let infinity = f64::INFINITY;
        for odd in [R::exp_m1, R::ln_1p, R::tanh, R::erf] {
            assert_eq!([0.0, -0.0].map(|x| at(odd, x)), [0f64, -0.0].map(f64::to_bits));
        }
        type End<R> = (fn(R) -> R, f64, f64);
        let ends: [End<R>; 7] = [
            (R::exp, 0.0, infinity),
            (R::exp_m1, -1.0, infinity),
            (R::ln, f64::NAN, infinity),
            (R::ln_1p, f64::NAN, infinity),
            (R::tanh, -1.0, 1.0),
            (R::erf, -1.0, 1.0),
            (R::erfc, 2.0, 0.0),
        ];
        for (f, left, right) in ends {
            assert_eq!([-infinity, infinity].map(|x| at(f, x)), [left, right].map(f64::to_bits));
            assert!(f(R::from_f64(f64::NAN)).f64().is_nan());
        }
        assert_eq!([at(R::ln, 0.0), at(R::ln, -0.0), at(R::ln_1p, -1.0)], [(-infinity).to_bits(); 3]);
    }
    check::<f32>();
    check::<f64>();
}
