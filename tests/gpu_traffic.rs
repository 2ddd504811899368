//! Many threads on one device, the counts of its work, and invalid numbers (NaN and infinite).
#![cfg(feature = "gpu")]

mod gpu;

use tangent_kernels::Cpu;
use tangent_kernels::ops::{Arrays, Pointwise, Reductions, Storage, Window};
use tangent_kernels::{Gpu, Real};

/// Small integers, so that products are exact.
fn numbers(count: usize, seed: usize) -> Vec<f32> {
    (0..count).map(|k| ((k * k + 7 * k * seed + 3 * seed) % 15) as f32 - 7.0).collect()
}

#[test]
fn many_threads_share_a_device() {
    let Some(gpu) = gpu::gpu() else { return };
    let work = |thread: usize| {
        let cpu = Cpu::<f32>::new();
        for round in 0..40 {
            let seed = 100 * thread + round;
            // Sizes for which buffers are reused, also by other threads.
            let (m, n, k) = (1 + seed % 40, 1 + (seed * 7) % 70, 1 + (seed * 3) % 50);
            let (x, y) = (numbers(m * k, seed), numbers(k * n, seed + 1));
            let there = gpu.matmul(&gpu.upload(&x, &[m, k]), false, &gpu.upload(&y, &[k, n]), false);
            let here = cpu.matmul(&cpu.upload(&x, &[m, k]), false, &cpu.upload(&y, &[k, n]), false);
            let sums = gpu.sum(&gpu.affine(&there, 2.0, 1.0), &[0]);
            assert_eq!(gpu.read(&there).unwrap(), cpu.read(&here).unwrap(), "thread {thread}, round {round}");
            let expected = cpu.read(&cpu.sum(&cpu.affine(&here, 2.0, 1.0), &[0])).unwrap();
            assert_eq!(gpu.read(&sums).unwrap(), expected, "thread {thread}, round {round}");
        }
    };
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..8).map(|thread| scope.spawn(move || work(thread))).collect();
        threads.into_iter().for_each(|thread| thread.join().unwrap());
    });
}

#[test]
fn what_goes_up_and_down_is_what_is_uploaded_and_read() {
    if gpu::gpu().is_none() {
        return;
    }
    let gpu = Gpu::open().unwrap();
    let moved = || [gpu.traffic().bytes_up, gpu.traffic().bytes_down];
    assert_eq!(moved(), [0, 0]);
    let x = gpu.upload(&numbers(1001, 1), &[7, 143]);
    let y = gpu.upload(&numbers(143, 1), &[143]);
    assert_eq!(moved(), [4 * 1144, 0]);
    let z = gpu.matmul(&gpu.add(&x, &y), false, &gpu.full(1.0, &[143, 3]), false);
    let z = gpu.reshape(&gpu.slice(&gpu.permute(&z, &[1, 0]), 1, 0..5), &[15]);
    gpu.finish().unwrap();
    assert_eq!(moved(), [4 * 1144, 0], "arrays stay on the device");
    gpu.read(&z).unwrap();
    assert_eq!(moved(), [4 * 1144, 60]);
    gpu.read(&gpu.upload(&[], &[0, 3])).unwrap();
    gpu.read(&gpu.full(0.0, &[3, 0])).unwrap();
    assert_eq!(moved(), [4 * 1144, 60]);
    assert!(gpu.read(&gpu.full(0.0, &[1 << 40])).is_err());
    assert_eq!(moved(), [4 * 1144, 60], "what fails is not counted");
}

/// A GPU that draws a screen must not be blocked, and some systems reset a GPU that is busy for two seconds. The target
/// is 15 ms per submission and at most 50 ms. Times are not asserted, since they depend on the load of the machine.
#[test]
fn long_work_is_sent_in_many_parts() {
    if gpu::gpu().is_none() {
        return;
    }
    let gpu = Gpu::open().unwrap();
    // All products of 16 matrices with 16 others.
    let (count, side, steps) = (16, 64, 1024);
    let (x, y) = (numbers(count * side * steps, 1), numbers(count * steps * side, 2));
    let there_x = gpu.upload(&x, &[count, 1, side, steps]);
    let there_y = gpu.upload(&y, &[1, count, steps, side]);
    gpu.finish().unwrap();
    let before = gpu.traffic();
    let products = gpu.read(&gpu.matmul(&there_x, false, &there_y, false)).unwrap();
    let parts = gpu.traffic().submissions - before.submissions;
    // Two billion operations. The first submission has 20 million, and each next one may have half as many more.
    assert!((8..2000).contains(&parts), "{parts} submissions");
    assert!(gpu.traffic().dispatches - before.dispatches >= parts - 1);
    for at in (0..products.len()).step_by(9973) {
        let (i, j, row, col) = (at / side / side / count, at / side / side % count, at / side % side, at % side);
        let (x, y) = (&x[(i * side + row) * steps..][..steps], &y[j * steps * side..][..steps * side]);
        let expected: f32 = (0..steps).map(|k| x[k] * y[k * side + col]).sum();
        assert_eq!(products[at], expected, "product {i} {j}, row {row}, column {col}");
    }
    let small = gpu.traffic().submissions;
    gpu.read(&gpu.add(&gpu.full(1.0, &[10]), &gpu.full(1.0, &[10]))).unwrap();
    assert_eq!(gpu.traffic().submissions, small + 1, "short work is sent together");
}

/// Compares two arrays. All NaN are equal.
fn same<A: Arrays<Number = f32>, B: Arrays<Number = f32>>(what: &str, a: &A, x: &A::Tensor, b: &B, y: &B::Tensor) {
    let (got, expected) = (a.read(x).unwrap(), b.read(y).unwrap());
    assert_eq!(got.len(), expected.len(), "{what}");
    for (k, (got, expected)) in got.iter().zip(&expected).enumerate() {
        assert!(got == expected || (got.is_nan() && expected.is_nan()), "{what}: entry {k} is {got}, not {expected}");
    }
}

#[test]
fn numbers_that_are_none_pass_through() {
    let Some(gpu) = gpu::gpu() else { return };
    let cpu = Cpu::<f32>::new();
    let (nan, infinity) = (f32::NAN, f32::INFINITY);
    let odd = [1.0, nan, 2.0, 3.0, infinity, 4.0, 5.0, -infinity, -0.0, f32::MAX, f32::MIN_POSITIVE, 0.0];
    let other = [0.0, 1.0, infinity, -1.0, -infinity, 0.5, f32::MAX, -infinity, 2.0, 2.0, 1.0, nan];
    fn all<A: Arrays<Number = f32>>(a: &A, odd: &[f32], other: &[f32]) -> Vec<(&'static str, A::Tensor)> {
        let (x, y) = (a.upload(odd, &[3, 4]), a.upload(other, &[3, 4]));
        let planes = a.reshape(&x, &[1, 1, 3, 4]);
        let window = Window::new([2, 2]);
        let largest = a.window_argmax(&planes, &window);
        vec![
            ("upload", x.clone()),
            ("full", a.concat(&[&a.full(f64::NAN, &[2]), &a.full(f64::NEG_INFINITY, &[2])], 0)),
            ("affine", a.affine(&x, 2.0, 1.0)),
            ("affine by nothing", a.affine(&x, 0.0, 1.0)),
            ("add", a.add(&x, &y)),
            ("mul", a.mul(&x, &y)),
            ("sum", a.sum(&x, &[1])),
            ("sum of all", a.sum(&a.concat(&[&x; 100], 0), &[0, 1])),
            ("permute", a.permute(&x, &[1, 0])),
            ("softmax", a.softmax(&a.slice(&x, 0, 0..1))),
            ("log softmax", a.log_softmax(&a.slice(&x, 0, 0..1))),
            ("window sum", a.window_sum(&planes, &window)),
            ("window argmax", a.gather(&a.reshape(&x, &[12, 1]), &largest)),
            ("gather nothing", a.gather(&x, &a.indices(&a.reshape(&y, &[12]), 3, false))),
        ]
    }
    let (there, here) = (all(&gpu, &odd, &other), all(&cpu, &odd, &other));
    for ((what, there), (_, here)) in there.iter().zip(&here) {
        same(what, &gpu, there, &cpu, here);
    }
    // In a product, an invalid number changes only its row or column.
    for side in [5, 40] {
        let mut x = numbers(side * side, 3);
        (x[side + 2], x[3 * side + 1]) = (nan, infinity);
        let y = vec![1.0; side * side];
        let product = |a: &Gpu| a.matmul(&a.upload(&x, &[side, side]), false, &a.upload(&y, &[side, side]), false);
        let got = gpu.read(&product(&gpu)).unwrap();
        for row in 0..side {
            let expected: f32 = (0..side).map(|k| x[row * side + k]).sum();
            for got in &got[row * side..(row + 1) * side] {
                assert!(
                    got.f64() == expected.f64() || (got.is_nan() && expected.is_nan()),
                    "row {row}: {got}, not {expected}"
                );
            }
        }
    }
}
