//! The elementwise functions on a GPU over a dense sample of all numbers, compared with the crate's functions in `f64`.
//! `tests/unary.rs` compares these with mpmath.
#![cfg(feature = "gpu")]

mod gpu;

use tangent_kernels::Gpu;
use tangent_kernels::ops::{Pointwise, Storage};
use tangent_kernels::unary::{Custom, Gelu, LeakyRelu, Order, Silu, Unary};

/// The largest error of a value that is a normal number, in units in the last place.
const VALUE_ULPS: f64 = 4.0;
/// The largest error of a derivative, in 2^-24 times the larger of 1 and the derivative. It also applies to values that
/// go to 0 as the product of a growing and a vanishing factor.
const ROUNDINGS: f64 = 4.0;

/// Numbers of all magnitudes and both signs, with more of them where the functions vary.
fn sample() -> Vec<f32> {
    let all = (0..u32::MAX).step_by(10_007).map(f32::from_bits).filter(|x| x.is_finite());
    let wide = (-600_000..600_000).map(|k| k as f32 * 1.82e-4);
    let near_zero = (-200_000..200_000).map(|k| k as f32 * 9.98e-6);
    let near = |x: f32| (-500..500).map(move |k| f32::from_bits((x.to_bits() as i32 + k) as u32));
    // The points where e^x overflows and underflows, and the limits of all numbers and of the normal numbers.
    let edges = [88.722_84, -87.336_54, -103.972_08, 3.4028e38, -3.4028e38, f32::MIN_POSITIVE, -f32::MIN_POSITIVE];
    let edges = edges.into_iter().flat_map(near);
    // The points where sines and cosines are small.
    let right_angles = (1..5000).map(|k| (f64::from(k) * std::f64::consts::FRAC_PI_2) as f32);
    all.chain(wide).chain(near_zero).chain(edges).chain(right_angles).collect()
}

/// f, f' and f'' at all x, on the device.
fn evaluate(gpu: &Gpu, f: Unary, x: &[f32]) -> [Vec<f32>; 3] {
    let shape = [x.len()];
    let (x, g) = (gpu.upload(x, &shape), gpu.full(1.0, &shape));
    let y = gpu.apply(f, &x);
    let derivative = |order| gpu.read(&gpu.apply_derivative(f, order, &x, &y, &g)).unwrap();
    [gpu.read(&y).unwrap(), derivative(Order::First), derivative(Order::Second)]
}

/// The same in f64.
fn wanted(f: Unary, x: f32) -> [f64; 3] {
    let x = f64::from(x);
    let y = f.value(x);
    [y, f.first(x, y), f.second(x, y)]
}

/// The error of `got` as a multiple of `unit`. It is 0 if both are infinite or NaN. At the edge of the numbers both the
/// largest number and infinity are accepted.
fn off(got: f32, expected: f64, unit: f64) -> f64 {
    let edge = f64::from(f32::MAX) * (1.0 - 4.0 * f64::from(f32::EPSILON));
    let got = f64::from(got);
    if (expected.is_nan() && got.is_nan()) || (expected.abs() > edge && got.abs() > edge && got * expected > 0.0) {
        return 0.0;
    }
    let error = (got - expected).abs() / unit;
    if error.is_nan() { f64::INFINITY } else { error }
}

/// The distance from `x`, a normal number of `f32`, to the next.
fn ulp(x: f64) -> f64 {
    f64::from_bits(x.to_bits() & f64::INFINITY.to_bits()) * f64::from(f32::EPSILON)
}

/// A derivative of a power this close to the largest f32 may overflow in its factors.
const NEAR_OVERFLOW: f64 = f32::MAX as f64 / 8.0;

/// How many roundings a derivative of `f` may be off: more where it is a third power of a value that is rounded.
fn roundings(f: Unary) -> f64 {
    match f {
        Unary::Acos(_) | Unary::Acosh(_) | Unary::Asin(_) | Unary::Atanh(_) | Unary::Pow(_) => 2.0 * ROUNDINGS,
        // 2 tan (1 + tan^2): the rounding of tan counts three times.
        Unary::Tan(_) => 3.0 * ROUNDINGS,
        _ => ROUNDINGS,
    }
}

fn rounding(expected: f64) -> f64 {
    2f64.powi(-24) * expected.abs().max(1.0)
}

/// True if only the absolute error of its values is bounded.
fn absolute(f: Unary) -> bool {
    matches!(f, Unary::Gelu(_) | Unary::Silu(_))
}

/// The error of a value relative to the largest allowed error.
fn value_off(f: Unary, got: f32, expected: f64) -> f64 {
    let smallest_normal = f64::from(f32::MIN_POSITIVE);
    if absolute(f) {
        off(got, expected, rounding(expected)) / ROUNDINGS
    } else if expected.abs() < smallest_normal {
        // Subnormal numbers may be flushed to 0.
        off(got, expected, smallest_normal)
    } else {
        off(got, expected, ulp(expected)) / VALUE_ULPS
    }
}

/// The largest error, and its x.
#[derive(Clone, Copy, Default)]
struct Worst {
    error: f64,
    x: f32,
}

impl Worst {
    fn note(&mut self, error: f64, x: f32) {
        if error > self.error {
            *self = Worst { error, x };
        }
    }
}

#[test]
fn values_and_derivatives_are_those_of_f64() {
    let Some(gpu) = gpu::gpu() else { return };
    let x = sample();
    let mut complaints = Vec::new();
    for f in Unary::cases() {
        let got = evaluate(&gpu, f, &x);
        let mut worst = [Worst::default(); 3];
        for (k, &x) in x.iter().enumerate() {
            let expected = wanted(f, x);
            worst[0].note(value_off(f, got[0][k], expected[0]), x);
            for order in [1, 2] {
                if got[order][k].is_infinite() && expected[order].abs() > NEAR_OVERFLOW {
                    continue;
                }
                worst[order].note(off(got[order][k], expected[order], rounding(expected[order])) / roundings(f), x);
            }
        }
        let [value, first, second] = worst.map(|worst| format!("{:.3} at {:?}", worst.error, worst.x));
        let line = format!("{f:?}, relative to the allowed error: value {value}, first {first}, second {second}");
        println!("{line}");
        if worst.iter().any(|worst| worst.error > 1.0) {
            complaints.push(line);
        }
    }
    assert!(complaints.is_empty(), "on {}:\n{}", gpu.name(), complaints.join("\n"));
}

#[test]
fn kinks_and_zeros() {
    let Some(gpu) = gpu::gpu() else { return };
    let x = [0.0, -0.0, -1.0, 0.5, 6.0, 1.0];
    for f in Unary::cases().into_iter().chain([LeakyRelu { slope: 0.0 }.into()]) {
        let got = evaluate(&gpu, f, &x);
        for (k, &x) in x.iter().enumerate() {
            for (got, expected) in got.iter().zip(wanted(f, x)) {
                assert!(
                    off(got[k], expected, rounding(expected)) <= ROUNDINGS,
                    "{f:?} at {x:?}: {} and not {expected}",
                    got[k]
                );
            }
        }
    }
}

#[test]
fn nan_stays_nan() {
    let Some(gpu) = gpu::gpu() else { return };
    for f in Unary::cases().into_iter().chain([LeakyRelu { slope: 0.0 }.into()]) {
        let got = evaluate(&gpu, f, &[f32::NAN, -f32::NAN]).concat();
        assert!(got.iter().all(|y| y.is_nan()), "{f:?}: {got:?}");
    }
}

#[test]
fn the_infinities() {
    let Some(gpu) = gpu::gpu() else { return };
    let x = [f32::NEG_INFINITY, f32::INFINITY];
    for f in Unary::cases().into_iter().chain([LeakyRelu { slope: 0.0 }.into()]) {
        let got = evaluate(&gpu, f, &x);
        for (k, &x) in x.iter().enumerate() {
            for (got, expected) in got.iter().zip(wanted(f, x)) {
                assert!(
                    off(got[k], expected, rounding(expected)) <= ROUNDINGS,
                    "{f:?} at {x:?}: {} and not {expected}",
                    got[k]
                );
            }
        }
    }
    // The sign from which these go to 0.
    for f in [Silu.into(), Gelu { approximate: false }.into(), Gelu { approximate: true }.into()] {
        let [value, ..] = evaluate(&gpu, f, &x);
        assert_eq!(value[0].to_bits(), (-0f32).to_bits(), "{f:?}");
    }
}

#[test]
fn a_custom_function_needs_a_shader() {
    let Some(gpu) = gpu::gpu() else { return };
    let square = Custom::new("square", |x| x * x, |x| 2.0 * x, |_| 2.0);
    let x = gpu.upload(&[3.0, -0.5], &[2]);
    let error = gpu.read(&gpu.apply(square.into(), &x)).unwrap_err();
    assert!(error.is_unsupported() && error.to_string().contains("'square' has no shader"), "{error}");
    let with_shader = square.with_shader(
        "fn value(x: f32) -> f32 { return x * x; }
        fn first(x: f32, y: f32) -> f32 { return 2.0 * x; }
        fn second(x: f32, y: f32) -> f32 { return 2.0; }",
    );
    let got = evaluate(&gpu, with_shader.into(), &[3.0, -0.5]);
    assert_eq!(got, [vec![9.0, 0.25], vec![6.0, -1.0], vec![2.0, 2.0]]);
}
