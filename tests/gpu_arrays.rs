//! The GPU's primitives compared with those of the CPU in f64.
#![cfg(feature = "gpu")]

mod gpu;

use proptest::prelude::*;
use tangent_kernels::ops::{Arrays, Indexing, Pointwise, Reductions, Storage, Window, Windows};
use tangent_kernels::{Cpu, Gpu};

type Cpu64 = Cpu<f64>;

/// Pseudo-random numbers between -1 and 1, exact in f32.
fn numbers(count: usize, seed: u64) -> Vec<f32> {
    let at = |k: u64| (((k + 1) * (k + 7) + seed * 7919) as f64 * 0.618_033_988_749_894_9).fract() * 2.0 - 1.0;
    (0..count as u64).map(|k| at(k) as f32).collect()
}

fn count(shape: &[usize]) -> usize {
    shape.iter().product()
}

/// Compares both backends on the same arrays, within the rounding error of sums of `terms` terms.
fn same(
    gpu: &Gpu,
    shapes: &[&[usize]],
    terms: usize,
    on_gpu: impl Fn(&Gpu, &[<Gpu as Storage>::Tensor]) -> <Gpu as Storage>::Tensor,
    on_cpu: impl Fn(&Cpu64, &[<Cpu64 as Storage>::Tensor]) -> <Cpu64 as Storage>::Tensor,
) {
    let cpu = Cpu64::new();
    let data: Vec<Vec<f32>> = shapes.iter().enumerate().map(|(k, shape)| numbers(count(shape), k as u64)).collect();
    let there: Vec<_> = data.iter().zip(shapes).map(|(data, shape)| gpu.upload(data, shape)).collect();
    let wide = |data: &[f32]| data.iter().map(|&x| f64::from(x)).collect::<Vec<_>>();
    let here: Vec<_> = data.iter().zip(shapes).map(|(data, shape)| cpu.upload(&wide(data), shape)).collect();
    let (got, expected) = (on_gpu(gpu, &there), on_cpu(&cpu, &here));
    assert_eq!(gpu.shape(&got), cpu.shape(&expected), "{shapes:?}");
    let (got, expected) = (gpu.read(&got).unwrap(), cpu.read(&expected).unwrap());
    let tolerance = 1.2e-7 * (4 + terms) as f64;
    for (k, (got, expected)) in got.iter().zip(&expected).enumerate() {
        let equal = (f64::from(*got) - expected).abs() <= tolerance * expected.abs().max(1.0);
        assert!(equal || (got.is_nan() && expected.is_nan()), "{shapes:?}: entry {k} is {got}, not {expected}");
    }
}

macro_rules! same {
    ($gpu:expr, $shapes:expr, $terms:expr, |$arrays:ident, $x:ident| $body:expr) => {
        same($gpu, $shapes, $terms, |$arrays, $x| $body, |$arrays, $x| $body)
    };
}

#[test]
fn layouts() {
    let Some(gpu) = gpu::gpu() else { return };
    same!(&gpu, &[&[2, 3, 4]], 0, |a, x| a.permute(&x[0], &[2, 0, 1]));
    same!(&gpu, &[&[5, 3, 4, 2, 6]], 0, |a, x| a.permute(&x[0], &[4, 1, 3, 0, 2]));
    same!(&gpu, &[&[2, 3, 4]], 0, |a, x| a.reshape(&x[0], &[4, 6]));
    same!(&gpu, &[&[5, 3, 4]], 0, |a, x| a.slice(&x[0], 0, 1..4));
    same!(&gpu, &[&[5, 3, 4]], 0, |a, x| a.slice(&x[0], 1, 2..3));
    same!(&gpu, &[&[5, 3, 4]], 0, |a, x| a.slice(&x[0], 2, 0..0));
    same!(&gpu, &[&[2, 3, 4], &[2, 1, 4], &[2, 5, 4]], 0, |a, x| a.concat(&[&x[0], &x[1], &x[2]], 1));
    same!(&gpu, &[&[2, 3], &[4, 3]], 0, |a, x| a.concat(&[&x[0], &x[1]], 0));
    same!(&gpu, &[&[100, 37]], 0, |a, x| a.affine(&x[0], 3.0, -0.5));
    same!(&gpu, &[], 0, |a, _x| a.full(0.25, &[3, 7]));
    same!(&gpu, &[], 0, |a, _x| a.full(0.25, &[0, 7]));
}

#[test]
fn sums() {
    let Some(gpu) = gpu::gpu() else { return };
    for axes in [&[0usize][..], &[1], &[2], &[0, 1], &[0, 2], &[1, 2], &[0, 1, 2]] {
        same!(&gpu, &[&[3, 5, 4]], 60, |a, x| a.sum(&x[0], axes));
        same!(&gpu, &[&[30, 5, 141]], 1000, |a, x| a.sum(&x[0], axes));
    }
    same!(&gpu, &[&[3, 0, 4]], 0, |a, x| a.sum(&x[0], &[1]));
    same!(&gpu, &[&[20_000, 70]], 70, |a, x| a.sum(&x[0], &[1]));
    same!(&gpu, &[&[4, 5, 3]], 20, |a, x| a.sum_to(&x[0], &[5, 1]));
}

#[test]
fn functions_of_two() {
    let Some(gpu) = gpu::gpu() else { return };
    let shapes: [[&[usize]; 2]; 6] = [
        [&[3, 4], &[3, 4]],
        [&[3, 4], &[4]],
        [&[3, 1, 5], &[2, 1]],
        [&[1], &[3000]],
        [&[2, 3, 1, 5, 1], &[1, 3, 4, 1, 6]],
        [&[0, 4], &[4]],
    ];
    for pair in shapes {
        same!(&gpu, &pair, 0, |a, x| a.add(&x[0], &x[1]));
        same!(&gpu, &pair, 0, |a, x| a.mul(&x[0], &x[1]));
    }
}

#[test]
fn products() {
    let Some(gpu) = gpu::gpu() else { return };
    for (m, n, k) in [
        (1, 1, 1),
        (3, 5, 7),
        (16, 16, 16),
        (33, 17, 40),
        (64, 64, 64),
        (65, 130, 19),
        (200, 3, 33),
        (3, 200, 33),
        (70, 80, 0),
        (0, 4, 5),
    ] {
        for (ta, tb) in [(false, false), (false, true), (true, false), (true, true)] {
            let (x, y) = (if ta { [k, m] } else { [m, k] }, if tb { [n, k] } else { [k, n] });
            same!(&gpu, &[&x, &y], k, |a, x| a.matmul(&x[0], ta, &x[1], tb));
        }
    }
    same!(&gpu, &[&[2, 1, 3, 4], &[5, 4, 2]], 4, |a, x| a.matmul(&x[0], false, &x[1], false));
    same!(&gpu, &[&[3, 4, 50], &[60, 50]], 50, |a, x| a.matmul(&x[0], false, &x[1], true));
    same!(&gpu, &[&[6, 40, 50], &[6, 40, 45]], 40, |a, x| a.matmul(&x[0], true, &x[1], false));
}

#[test]
fn softmax() {
    let Some(gpu) = gpu::gpu() else { return };
    for width in [1, 2, 10, 63, 64, 65, 1000] {
        same!(&gpu, &[&[7, width]], 100, |a, x| a.softmax(&a.affine(&x[0], 30.0, 100.0)));
        same!(&gpu, &[&[3, 2, width]], 100, |a, x| a.log_softmax(&a.affine(&x[0], 30.0, 100.0)));
    }
}

#[test]
fn rows_by_number() {
    let Some(gpu) = gpu::gpu() else { return };
    let ids = [0.0, 3.0, 3.0, 1.0, 2.5, -1.0];
    for apart in [false, true] {
        let rows = if apart { 8 } else { 4 };
        fn both<A: Arrays>(a: &A, ids: &[f32], x: &A::Tensor, apart: bool, rows: usize) -> [A::Tensor; 2] {
            let numbers: Vec<A::Number> =
                ids.iter().map(|&id| tangent_kernels::Real::from_f64(f64::from(id))).collect();
            let index = a.indices(&a.upload(&numbers, &[2, 3]), 4, apart);
            let gathered = a.gather(x, &index);
            [gathered.clone(), a.scatter(&a.affine(&gathered, 0.0, 2.0), &index, rows)]
        }
        for which in [0, 1] {
            same!(&gpu, &[&[rows, 5]], 4, |a, x| both(a, &ids, &x[0], apart, rows)[which].clone());
        }
    }
}

fn window(
    kernel: [usize; 2],
    stride: [usize; 2],
    dilation: [usize; 2],
    padding: [[usize; 2]; 2],
    groups: usize,
) -> Window {
    Window { stride, dilation, padding, groups, ..Window::new(kernel) }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn windows(
        kernel in [1usize..4, 1usize..4], stride in [1usize..4, 1usize..3], dilation in [1usize..3, 1usize..3],
        padding in [[0usize..3, 0usize..2], [0usize..2, 0usize..3]], groups in 1usize..3, n in 1usize..4,
        channels in 1usize..3, outputs in 1usize..3, size in [3usize..9, 3usize..8], seeds in 1usize..3,
    ) {
        let Some(gpu) = gpu::gpu() else { return Ok(()) };
        let w = window(kernel, stride, dilation, padding, groups);
        let Some([h, v]) = w.positions(size) else { return Ok(()) };
        let (c, o) = (channels * groups, outputs * groups);
        let i = channels * kernel[0] * kernel[1];
        let x = [n, c, size[0], size[1]];
        let terms = i * o + h * v;
        same!(&gpu, &[&x], 0, |a, x| a.patches(&x[0], &w));
        same!(&gpu, &[&x, &[o, i]], terms, |a, x| a.convolve(&x[0], &x[1], &w));
        same!(&gpu, &[&[n, o, h, v], &[o, channels, kernel[0], kernel[1]]], terms, |a, x| a.convolve_input(&x[0], &x[1], &w, size));
        same!(&gpu, &[&x, &[n, seeds, o, h, v]], terms, |a, x| a.convolve_weight(&x[0], &x[1], &w));
        same!(&gpu, &[&x, &[n, seeds, o, h, v]], n * terms, |a, x| a.convolve_weight_sum(&x[0], &x[1], &w));
        let pool = Window { groups: 1, ..w };
        same!(&gpu, &[&x], terms, |a, x| a.window_sum(&x[0], &pool));
        same!(&gpu, &[&[n, c, h, v]], terms, |a, x| a.window_spread(&x[0], &pool, size));
        let entries = n * c * size[0] * size[1];
        same!(&gpu, &[&x], 0, |a, x| a.gather(&a.reshape(&x[0], &[entries, 1]), &a.window_argmax(&x[0], &pool)));
        same!(&gpu, &[&x, &[n, c, h, v, 1]], terms, |a, x| a.scatter(&x[1], &a.window_argmax(&x[0], &pool), entries));
    }
}

/// Some drivers silently end the loops of an invocation after 65,535 rounds.
#[test]
fn long_sums() {
    let Some(gpu) = gpu::gpu() else { return };
    // Ones and halves, so that sums are exact and a missing term is found.
    let expect = |what: &str, x: &<Gpu as Storage>::Tensor, expected: f32| {
        let got = gpu.read(x).unwrap();
        assert!(got.iter().all(|&got| got == expected), "{what}: {} of {}, not {expected}", got[0], got.len());
    };
    for count in [131_072, 131_073, 3_000_001] {
        let x = gpu.full(1.0, &[count]);
        expect("sum", &gpu.sum(&x, &[0]), count as f32);
        expect("sums", &gpu.sum(&gpu.reshape(&gpu.full(1.0, &[3 * count]), &[3, count, 1]), &[1, 2]), count as f32);
        expect("columns", &gpu.sum(&gpu.full(1.0, &[count, 2]), &[0]), count as f32);
    }
    for (rows, steps) in [(3, 300_001), (40, 100_001), (65, 16_385)] {
        let (x, y) = (gpu.full(0.5, &[rows, steps]), gpu.full(1.0, &[steps, rows]));
        let expected = 0.5 * steps as f32;
        expect("x y", &gpu.matmul(&x, false, &y, false), expected);
        expect("x x^T", &gpu.matmul(&x, false, &x, true), 0.5 * expected);
        expect("y^T y", &gpu.matmul(&y, true, &y, false), 2.0 * expected);
        let batch = [gpu.reshape(&x, &[1, rows, steps]), gpu.reshape(&y, &[1, steps, rows])];
        expect("x y, batched", &gpu.matmul(&batch[0], false, &batch[1], false), expected);
    }
    let index = gpu.indices(&gpu.full(0.0, &[200_001]), 1, false);
    expect("scatter", &gpu.scatter(&gpu.full(1.0, &[200_001, 2]), &index, 1), 200_001.0);
}

/// The number of params is limited. An array with too many axes is rejected instead of read incorrectly.
#[test]
fn many_axes() {
    let Some(gpu) = gpu::gpu() else { return };
    let reversed = |axes: usize| -> Vec<usize> { (0..axes).rev().collect() };
    let shape = vec![2; 18];
    same!(&gpu, &[&shape], 0, |a, x| a.permute(&x[0], &reversed(18)));
    let x = gpu.permute(&gpu.full(1.0, &[2; 19]), &reversed(19));
    for x in [&x, &gpu.add(&x, &x)] {
        let error = gpu.read(x).unwrap_err();
        assert!(error.is_unsupported() && error.to_string().contains("axes"), "{error:?}");
    }
}
