//! The CPU's primitives compared with plain loops, and products that must stay inside their bounds.

use tangent_kernels::Cpu;
use tangent_kernels::Real;
use tangent_kernels::ops::{Pointwise, Reductions, Storage};

fn numbers<R: Real>(count: usize, seed: u64) -> Vec<R> {
    (1..=count as u64)
        .map(|k| R::from_f64(((k * k + 17 * seed * k) as f64 * 0.618_033_988_749_894_9).fract() - 0.5))
        .collect()
}

fn agree<R: Real>(got: &[R], expected: &[f64], what: &str) {
    assert_eq!(got.len(), expected.len(), "{what}");
    let scale = expected.iter().fold(1.0f64, |max, x| max.max(x.abs()));
    for (k, (got, expected)) in got.iter().zip(expected).enumerate() {
        assert!(
            (got.f64() - expected).abs() <= 50.0 * R::EPSILON.f64() * scale,
            "{what}: entry {k} is {got}, not {expected}"
        );
    }
}

fn products_match_triple_loops<R: Real>() {
    let cpu = Cpu::<R>::new();
    let sizes = [0, 1, 2, 3, 5, 8, 13, 16, 17, 33];
    for m in sizes {
        for n in sizes {
            for k in [0, 1, 2, 7, 16, 19] {
                for (ta, tb) in [(false, false), (false, true), (true, false), (true, true)] {
                    let (a, b) = (numbers::<R>(m * k, 1), numbers::<R>(k * n, 2));
                    let at = |i: usize, l: usize| a[if ta { l * m + i } else { i * k + l }].f64();
                    let bt = |l: usize, j: usize| b[if tb { j * k + l } else { l * n + j }].f64();
                    let entry = |i, j| (0..k).map(|l| at(i, l) * bt(l, j)).sum::<f64>();
                    let expected: Vec<f64> =
                        (0..m).flat_map(|i| (0..n).map(move |j| (i, j))).map(|(i, j)| entry(i, j)).collect();
                    let x = cpu.upload(&a, &if ta { [k, m] } else { [m, k] });
                    let y = cpu.upload(&b, &if tb { [n, k] } else { [k, n] });
                    let product = cpu.matmul(&x, ta, &y, tb);
                    assert_eq!(cpu.shape(&product), [m, n]);
                    agree(&cpu.read(&product).unwrap(), &expected, &format!("{m} x {k} by {k} x {n}, {ta} {tb}"));
                }
            }
        }
    }
}

#[test]
fn products_match_triple_loops_in_both_precisions() {
    products_match_triple_loops::<f32>();
    products_match_triple_loops::<f64>();
}

#[test]
fn batched_products_broadcast() {
    let cpu = Cpu::<f64>::new();
    let x = cpu.upload(&numbers(2 * 3 * 4, 1), &[2, 1, 3, 4]);
    let y = cpu.upload(&numbers(5 * 4 * 2, 2), &[5, 4, 2]);
    let (a, b) = (cpu.read(&x).unwrap(), cpu.read(&y).unwrap());
    let product = cpu.matmul(&x, false, &y, false);
    assert_eq!(cpu.shape(&product), [2, 5, 3, 2]);
    let mut expected = Vec::new();
    for p in 0..2 {
        for q in 0..5 {
            for i in 0..3 {
                for j in 0..2 {
                    expected.push((0..4).map(|l| a[(p * 3 + i) * 4 + l] * b[(q * 4 + l) * 2 + j]).sum::<f64>());
                }
            }
        }
    }
    agree(&cpu.read(&product).unwrap(), &expected, "batched product");
}

#[test]
fn layouts_match_index_arithmetic() {
    let cpu = Cpu::<f64>::new();
    let data: Vec<f64> = (0..2 * 3 * 4).map(f64::from).collect();
    let x = cpu.upload(&data, &[2, 3, 4]);
    let at = |i: usize, j: usize, k: usize| data[(i * 3 + j) * 4 + k];

    let permuted = cpu.permute(&x, &[2, 0, 1]);
    assert_eq!(cpu.shape(&permuted), [4, 2, 3]);
    let expected: Vec<f64> = (0..4).flat_map(|k| (0..2).flat_map(move |i| (0..3).map(move |j| at(i, j, k)))).collect();
    assert_eq!(cpu.read(&permuted).unwrap(), expected);

    let summed = cpu.sum(&x, &[0, 2]);
    assert_eq!(cpu.shape(&summed), [1, 3, 1]);
    let expected: Vec<f64> = (0..3).map(|j| (0..2).flat_map(|i| (0..4).map(move |k| at(i, j, k))).sum()).collect();
    assert_eq!(cpu.read(&summed).unwrap(), expected);

    let joined = cpu.concat(&[&x, &cpu.slice(&x, 0, 0..2)], 1);
    assert_eq!(cpu.shape(&joined), [2, 6, 4]);
    let expected: Vec<f64> =
        (0..2).flat_map(|i| (0..6).flat_map(move |j| (0..4).map(move |k| at(i, j % 3, k)))).collect();
    assert_eq!(cpu.read(&joined).unwrap(), expected);

    let middle = cpu.slice(&x, 1, 1..3);
    assert_eq!(cpu.shape(&middle), [2, 2, 4]);
    let expected: Vec<f64> = (0..2).flat_map(|i| (1..3).flat_map(move |j| (0..4).map(move |k| at(i, j, k)))).collect();
    assert_eq!(cpu.read(&middle).unwrap(), expected);
    assert_eq!(cpu.read(&cpu.slice(&x, 2, 3..4)).unwrap(), [3.0, 7.0, 11.0, 15.0, 19.0, 23.0]);

    let row = cpu.slice(&x, 0, 1..2);
    assert_eq!(cpu.read(&cpu.reshape(&row, &[12])).unwrap(), data[12..]);
    let column = cpu.upload(&[10.0, 20.0, 30.0], &[3, 1]);
    let expected: Vec<f64> = (0..2)
        .flat_map(|i| (0..3).flat_map(move |j| (0..4).map(move |k| at(i, j, k) + 10.0 * (j + 1) as f64)))
        .collect();
    assert_eq!(cpu.read(&cpu.add(&x, &column)).unwrap(), expected);
}
