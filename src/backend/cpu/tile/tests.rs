//! The micro kernel with every width of vectors that this machine has, compared with plain loops.

use pulp::{Scalar, Simd};

use super::micro::{Call, Dispatched, Finish, Target};
use super::packed::Packed;
use crate::real::Real;

struct Case<R> {
    rows: usize,
    cols: usize,
    k: usize,
    with_other: bool,
    fresh: bool,
    finish_other: bool,
    weight: R,
}

fn numbers<R: Real>(count: usize, seed: u64) -> Vec<R> {
    let number = |k: u64| (((k + 1) * (k + 7) + seed * 7919) as f64 * 0.618_033_988_749_894_9).fract() * 2.0 - 1.0;
    (0..count as u64).map(|k| R::from_f64(number(k))).collect()
}

fn packed<R: Real>(rows: usize, k: usize, numbers: &[R]) -> Packed<R> {
    let mut packed = Packed::default();
    packed.reset(rows, k);
    packed.fill(0, numbers);
    packed
}

fn dots<R: Real>(a: &[R], b: &[R], [rows, cols, k]: [usize; 3]) -> Vec<f64> {
    let dot = |r: usize, c: usize| (0..k).map(|i| a[r * k + i].f64() * b[c * k + i].f64()).sum();
    (0..rows).flat_map(|r| (0..cols).map(move |c| dot(r, c))).collect()
}

fn check<R: Real, S: Simd>(simd: S, case: &Case<R>) {
    let &Case { rows, cols, k, with_other, fresh, finish_other, weight } = case;
    let [a, b] = [numbers::<R>(rows * k, 1), numbers::<R>(cols * k, 2)];
    let [a2, b2] = [numbers::<R>(rows * 5, 3), numbers::<R>(cols * 5, 4)];
    let [before, other] = [5, 6].map(|seed| numbers::<R>(rows * cols, seed));
    let [packed_a, packed_b] = [packed(rows, k, &a), packed(cols, k, &b)];
    let [packed_a2, packed_b2] = [packed(rows, 5, &a2), packed(cols, 5, &b2)];
    let mut out = before.clone();
    let bias = R::from_f64(if with_other { 0.25 } else { 0.0 });
    simd.vectorize(Dispatched(Call {
        operands: [&packed_a, &packed_b],
        with: with_other.then_some([&packed_a2, &packed_b2]),
        target: Target { out: &mut out, stride: cols, fresh, upper: false },
        weight,
        bias,
        finish: if finish_other { Finish::MultiplyAdd(&other) } else { Finish::Add },
    }));
    let first = dots(&a, &b, [rows, cols, k]);
    let second = dots(&a2, &b2, [rows, cols, 5]);
    for (entry, out) in out.iter().enumerate() {
        let mut expected = weight.f64() * first[entry] + bias.f64();
        if with_other {
            expected *= second[entry];
        }
        if finish_other {
            expected *= other[entry].f64();
        }
        if !fresh {
            expected += before[entry].f64();
        }
        assert!(
            (out.f64() - expected).abs() <= 1e3 * R::EPSILON.f64(),
            "{} {rows} x {cols}, k {k}: entry {entry}",
            R::NAME
        );
    }
}

fn all<R: Real, S: Simd>(simd: S) {
    let lanes = R::LANES;
    for [rows, cols] in [[1, 1], [lanes + 3, 2 * lanes - 1], [3, 3 * lanes], [lanes, 4 * lanes], [9, 5 * lanes + 2]] {
        for k in [0, 1, 7, 192, 193, 400] {
            for (with_other, finish_other) in [(false, false), (false, true), (true, false)] {
                for fresh in [false, true] {
                    // Two products at once are only used if k fits one block.
                    if !with_other || k <= 192 {
                        let weight = R::from_f64(if k == 7 { 1.0 } else { 0.75 });
                        check(simd, &Case { rows, cols, k, with_other, fresh, finish_other, weight });
                    }
                }
            }
        }
    }
}

#[test]
fn products_are_right_with_scalars() {
    all::<f32, _>(Scalar);
    all::<f64, _>(Scalar);
}

#[cfg(target_arch = "x86_64")]
#[test]
fn products_are_right_with_vectors_of_256_and_512_bits() {
    if let Some(simd) = pulp::x86::V3::try_new() {
        all::<f32, _>(simd);
        all::<f64, _>(simd);
    }
    if let Some(simd) = pulp::x86::V4::try_new() {
        all::<f32, _>(simd);
        all::<f64, _>(simd);
    }
}
