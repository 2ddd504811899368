//! Device failures are errors that name the device and the cause. Nothing panics, nothing hangs.
#![cfg(feature = "gpu")]

mod gpu;

use std::time::Duration;

use tangent_kernels::Adapter;
use tangent_kernels::Gpu;
use tangent_kernels::ops::{Indexing, Pointwise, Reductions, Storage, Window, Windows};
use tangent_kernels::unary::Order;

type Tensor = <Gpu as Storage>::Tensor;

/// A separate device, for tests that break it or count its work.
fn own() -> Option<Gpu> {
    gpu::gpu()?;
    Some(Gpu::open().unwrap())
}

/// A device with a limit on the bytes of an array.
fn small(bytes: u64) -> Option<Gpu> {
    gpu::gpu()?;
    let adapter = Adapter::all().remove(0);
    let mut limits = Gpu::on(&adapter).unwrap().device().limits();
    (limits.max_storage_buffer_binding_size, limits.max_buffer_size) = (bytes, bytes);
    Some(Gpu::with_limits(&adapter, limits).unwrap())
}

fn memory(gpu: &Gpu, x: &Tensor) -> String {
    let error = gpu.read(x).unwrap_err();
    assert!(error.is_memory(), "{error:?}");
    error.to_string()
}

fn device(gpu: &Gpu, x: &Tensor) -> String {
    let error = gpu.read(x).unwrap_err();
    assert!(error.is_device(), "{error:?}");
    assert!(error.to_string().contains(gpu.name()), "{error}");
    error.to_string()
}

/// Runs one of these tests alone in a child process, which `prepare` may change.
#[cfg(target_os = "linux")]
fn again(test: &str, program: &str, prepare: &[(&str, &str)]) {
    let mut command = std::process::Command::new("sh");
    command.args(["-c", program, &std::env::current_exe().unwrap().to_string_lossy()]);
    command.args([test, "--exact", "--nocapture"]).env("TANGENT_CHILD", test).envs(prepare.iter().copied());
    let output = command.output().unwrap();
    let message = [output.stdout, output.stderr].map(|message| String::from_utf8_lossy(&message).into_owned()).concat();
    assert!(output.status.success() && message.contains("the child is done"), "{}:\n{message}", output.status);
}

#[cfg(target_os = "linux")]
fn is_child(test: &str) -> bool {
    std::env::var_os("TANGENT_CHILD").is_some_and(|child| child == test)
}

#[test]
#[cfg(target_os = "linux")]
fn a_machine_without_a_driver_has_no_devices() {
    const TEST: &str = "a_machine_without_a_driver_has_no_devices";
    if !is_child(TEST) {
        let nowhere = "/nonexistent";
        return again(TEST, "exec \"$0\" \"$@\"", &[("VK_ICD_FILENAMES", nowhere), ("VK_DRIVER_FILES", nowhere)]);
    }
    assert!(Adapter::all().is_empty());
    for result in [Gpu::open(), Gpu::named("nvidia")] {
        let error = result.err().unwrap();
        assert!(error.is_device() && error.to_string().contains("driver"), "{error:?}");
    }
    println!("the child is done");
}

#[test]
fn a_name_that_no_device_has_is_refused_and_those_there_are_named() {
    let Some(gpu) = gpu::gpu() else { return };
    let error = Gpu::named("no such thing").err().unwrap();
    assert!(error.is_name(), "{error:?}");
    assert!(error.to_string().contains("no such thing") && error.to_string().contains(gpu.name()), "{error}");
    let half = &gpu.name()[..gpu.name().len() / 2];
    assert_eq!(Gpu::named(&half.to_uppercase()).unwrap().name(), gpu.name());
}

#[test]
fn limits_that_are_too_small_are_refused_by_name() {
    if gpu::gpu().is_none() {
        return;
    }
    let adapter = Adapter::all().remove(0);
    let refused = |what: &str, change: &dyn Fn(&mut wgpu::Limits)| {
        let mut limits = wgpu::Limits::default();
        change(&mut limits);
        let error = Gpu::with_limits(&adapter, limits).err().unwrap();
        assert!(error.is_device(), "{error:?}");
        for part in [adapter.name(), what] {
            assert!(error.to_string().contains(part), "{error}");
        }
    };
    refused("64 invocations in a workgroup, but kernels need 256", &|limits| {
        limits.max_compute_invocations_per_workgroup = 64
    });
    refused("128 invocations in a workgroup, but kernels need 256", &|limits| {
        limits.max_compute_workgroup_size_x = 128
    });
    refused("4096 bytes of memory of a workgroup", &|limits| limits.max_compute_workgroup_storage_size = 4096);
    refused("4 arrays in a kernel", &|limits| limits.max_storage_buffers_per_shader_stage = 4);
    refused("1024 bytes of an array", &|limits| limits.max_buffer_size = 1024);
    // Limits that the driver does not support.
    refused("could not be opened", &|limits| limits.max_compute_workgroup_storage_size = 1 << 30);
    assert!(Gpu::with_limits(&adapter, wgpu::Limits::default()).is_ok());
}

#[test]
fn an_array_larger_than_the_device_binds_is_refused_and_smaller_ones_still_work() {
    let Some(gpu) = small(64 << 10) else { return };
    let whole = 16 << 10;
    let expect = |x: &Tensor, bytes: usize| {
        let message = memory(&gpu, x);
        for part in [gpu.name(), &bytes.to_string(), &(64 << 10).to_string()] {
            assert!(message.contains(part), "{message}: {part}");
        }
    };
    for round in 0..3 {
        expect(&gpu.full(1.0, &[whole + 1]), 4 * whole + 4);
        expect(&gpu.upload(&vec![1.0; whole + 1], &[whole + 1]), 4 * whole + 4);
        let (row, col) = (gpu.full(1.0, &[1, 200]), gpu.full(1.0, &[200, 1]));
        expect(&gpu.add(&row, &col), 160_000);
        expect(&gpu.matmul(&col, false, &row, false), 160_000);
        assert_eq!(gpu.read(&gpu.full(2.0, &[whole])).unwrap(), vec![2.0; whole], "round {round}");
    }
    gpu.finish().unwrap();
}

#[test]
fn what_is_made_of_a_poisoned_array_is_poisoned() {
    let Some(gpu) = small(64 << 10) else { return };
    let gpu = &gpu;
    let good = gpu.full(1.0, &[1, 1, 8, 8]);
    let whole = gpu.full(1.0, &[1 << 9, 1, 8, 8]);
    let message = memory(gpu, &whole);
    // This array is small. The error of the arrays below comes from their input.
    let bad = gpu.slice(&whole, 0, 0..2);
    let (rows, row, window) = (gpu.reshape(&bad, &[16, 8]), gpu.full(1.0, &[1, 8]), Window::new([2, 2]));
    let one = gpu.slice(&bad, 0, 0..1);
    let index = gpu.indices(&gpu.reshape(&row, &[8]), 16, false);
    let bad_kernel = gpu.slice(&gpu.slice(&one, 2, 0..2), 3, 0..2);
    let kernel = gpu.full(1.0, &[1, 1, 2, 2]);
    let tanh = tangent_kernels::unary::Tanh.into();
    let made = [
        gpu.permute(&bad, &[1, 0, 2, 3]),
        gpu.concat(&[&good, &bad], 0),
        gpu.concat(&[&bad, &good], 0),
        gpu.sum(&bad, &[0, 1, 2, 3]),
        gpu.affine(&bad, 1.0, 1.0),
        gpu.add(&good, &bad),
        gpu.mul(&bad, &good),
        gpu.matmul(&row, false, &rows, true),
        gpu.matmul(&rows, false, &row, true),
        gpu.apply(tanh, &bad),
        gpu.apply_derivative(tanh, Order::First, &one, &good, &good),
        gpu.apply_derivative(tanh, Order::First, &good, &one, &good),
        gpu.apply_derivative(tanh, Order::Second, &good, &good, &one),
        gpu.softmax(&bad),
        gpu.log_softmax(&bad),
        gpu.patches(&bad, &window),
        gpu.convolve(&bad, &kernel, &window),
        gpu.convolve(&good, &bad_kernel, &window),
        gpu.convolve_input(&one, &kernel, &window, [9, 9]),
        gpu.convolve_input(&good, &bad_kernel, &window, [9, 9]),
        gpu.convolve_weight(&one, &gpu.full(1.0, &[1, 1, 1, 7, 7]), &window),
        gpu.convolve_weight_sum(&bad, &gpu.full(1.0, &[2, 1, 1, 7, 7]), &window),
        gpu.window_sum(&bad, &window),
        gpu.window_spread(&one, &window, [9, 9]),
        gpu.gather(&rows, &index),
        gpu.gather(&row, &gpu.indices(&bad, 1, false)),
        gpu.gather(&gpu.reshape(&good, &[64, 1]), &gpu.window_argmax(&one, &window)),
        gpu.scatter(&gpu.slice(&rows, 0, 0..8), &index, 16),
        gpu.scatter(&gpu.full(1.0, &[1, 1, 7, 7, 1]), &gpu.window_argmax(&one, &window), 64),
    ];
    for (k, x) in made.iter().enumerate() {
        assert_eq!(memory(gpu, x), message, "number {k}");
    }
    assert_eq!(gpu.read(&gpu.sum(&good, &[0, 1, 2, 3])).unwrap(), [64.0], "the device itself is well");
}

#[test]
#[cfg(target_os = "linux")]
fn a_device_that_runs_out_of_memory_says_so_and_goes_on_with_less() {
    const TEST: &str = "a_device_that_runs_out_of_memory_says_so_and_goes_on_with_less";
    if !is_child(TEST) {
        let Some(gpu) = gpu::gpu() else { return };
        // Only a software device takes its memory from the process.
        if !Adapter::all().iter().any(|adapter| adapter.name() == gpu.name() && adapter.is_software()) {
            return;
        }
        return again(TEST, "ulimit -v 2200000; exec \"$0\" \"$@\"", &[]);
    }
    let gpu = Gpu::open().unwrap();
    // The kernels below are compiled while memory is available.
    let sum = |x: &Tensor| gpu.read(&gpu.sum(x, &[0])).map(|sum| sum[0]);
    assert_eq!(sum(&gpu.full(1.0, &[1000])).unwrap(), 1000.0);
    let large = 24 << 20;
    let mut held = Vec::new();
    let error = loop {
        let x = gpu.full(1.0, &[large]);
        match sum(&x) {
            Ok(_) => held.push(x),
            Err(error) => break error,
        }
        assert!(held.len() < 64, "memory does not end");
    };
    assert!(error.is_memory() && error.to_string().contains(gpu.name()), "{error:?}");
    println!("{} arrays, then {error}", held.len());
    for round in 0..100 {
        assert_eq!(sum(&gpu.full(0.5, &[50_000 + round])).unwrap(), 0.5 * (50_000 + round) as f32);
    }
    // Freed memory is available again, also for arrays of other sizes.
    let count = held.len();
    drop(held);
    let other: Vec<Tensor> = (0..count - 1).map(|_| gpu.full(0.5, &[large - (4 << 20)])).collect();
    other.iter().for_each(|x| assert_eq!(sum(x).unwrap(), 0.5 * (large - (4 << 20)) as f32));
    println!("the child is done");
}

#[test]
fn a_device_that_is_destroyed_gives_errors_only() {
    let Some(gpu) = own() else { return };
    let x = gpu.upload(&[1.0, 2.0, 3.0, 4.0], &[2, 2]);
    assert_eq!(gpu.read(&x).unwrap(), [1.0, 2.0, 3.0, 4.0]);
    let pending = gpu.matmul(&x, false, &x, false);
    gpu.device().destroy();
    for x in [&pending, &x] {
        let message = device(&gpu, x);
        assert!(message.contains("was lost"), "{message}");
    }
    for _ in 0..3 {
        let later = gpu.upload(&[1.0; 4], &[2, 2]);
        device(&gpu, &later);
        device(&gpu, &gpu.matmul(&later, false, &x, true));
        device(&gpu, &gpu.full(1.0, &[3]));
        device(&gpu, &gpu.sum(&x, &[0]));
    }
    let error = gpu.finish().unwrap_err();
    assert!(error.is_device() && error.to_string().contains("was lost"), "{error:?}");
    // Another device is not affected.
    let other = own().unwrap();
    assert_eq!(other.read(&other.full(1.0, &[3])).unwrap(), [1.0; 3]);
}

#[test]
fn a_device_destroyed_under_working_threads_gives_errors_only() {
    let Some(gpu) = own() else { return };
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for round in 0.. {
                    let x = gpu.upload(&vec![0.5; 64 * 64], &[64, 64]);
                    match gpu.read(&gpu.matmul(&x, false, &x, true)) {
                        Ok(y) => assert_eq!(y, vec![16.0; 64 * 64]),
                        Err(error) => {
                            assert!(error.is_device(), "{error:?}");
                            break;
                        }
                    }
                    assert!(round < 1_000_000, "the loss is not noticed");
                }
            });
        }
        std::thread::sleep(Duration::from_millis(100));
        gpu.device().destroy();
    });
}

#[test]
fn a_device_that_does_not_answer_is_given_up() {
    let Some(gpu) = own() else { return };
    let gpu = gpu.with_timeout(Duration::from_micros(50));
    let mut x = gpu.full(1.0 / 512.0, &[512, 512]);
    for _ in 0..8 {
        x = gpu.matmul(&x, false, &x, false);
    }
    let message = device(&gpu, &x);
    assert!(message.contains("did not answer within 50µs"), "{message}");
    assert_eq!(device(&gpu, &gpu.full(1.0, &[3])), message, "later arrays are not waited for");
    assert!(gpu.finish().unwrap_err().is_device());
}
