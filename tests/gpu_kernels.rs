//! Kernels on a GPU: every fixture with every method and mode, and the transfers.
#![cfg(all(feature = "gpu", feature = "fixture"))]

mod gpu;

use std::path::{Path, PathBuf};

use tangent_kernels::Gram;
use tangent_kernels::analysis::trajectory::{Record, Trajectory};
use tangent_kernels::extend::gpu::{Adapter, wgpu};
use tangent_kernels::io::fixture::Fixture;
use tangent_kernels::kernel::Strategy;
use tangent_kernels::train::{GradientDescent, Optimiser};
use tangent_kernels::unary::Tanh;
use tangent_kernels::{
    Batch, Cpu, Device, Gpu, Kernel, Loss, Matrix, Method, Model, Outputs, Result, Sequential, Session,
};

/// The largest error of a component in f32 on a device. Some functions and quotients of devices are less exact than
/// those of a CPU.
const TOLERANCE: f64 = 1e-4;
/// Forward mode runs the network once per entry of every parameter.
const FORWARD_ENTRIES: usize = 1000;

fn fixtures() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures");
    let files = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut list: Vec<PathBuf> =
        files.filter(|path| path.extension().is_some_and(|ending| ending == "safetensors")).collect();
    list.sort();
    list
}

/// The error of a method on a fixture. `None` if the method does not support the network.
fn error(gpu: &Gpu, file: &Path, method: Method) -> Option<f64> {
    let fixture = Fixture::read(file).unwrap();
    if method == Method::ForwardMode && fixture.model.parameter_count() > FORWARD_ENTRIES {
        return None;
    }
    let x: Vec<f32> = fixture.input.iter().map(|&x| x as f32).collect();
    let session = Session::new(&fixture.model, gpu.clone()).unwrap();
    match session.ntk().method(method).compute(&Batch::new(&x, &fixture.input_shape).unwrap()) {
        Err(error) if method == Method::ClosedForm && error.is_unsupported() => None,
        kernel => {
            let kernel = kernel.unwrap_or_else(|error| panic!("{} by {method}: {error}", file.display()));
            Some(fixture.worst_difference(&kernel).unwrap().0)
        }
    }
}

fn every_fixture(methods: &[Method]) {
    let Some(gpu) = gpu::gpu() else { return };
    let files = fixtures();
    assert!(files.len() >= 59);
    for file in &files {
        for &method in methods {
            if let Some(error) = error(&gpu, file, method) {
                assert!(error < TOLERANCE, "{} by {method}: {error:e}", file.display());
            }
        }
    }
}

#[test]
fn every_fixture_structured_and_in_closed_form() {
    every_fixture(&[Method::Structured, Method::ClosedForm]);
}

#[test]
fn every_fixture_by_jacobians() {
    every_fixture(&[Method::FullJacobian, Method::LayerwiseBatched]);
}

#[test]
fn every_fixture_sample_by_sample() {
    every_fixture(&[Method::Autograd, Method::Layerwise]);
}

#[test]
fn every_small_fixture_by_forward_mode() {
    every_fixture(&[Method::ForwardMode]);
}

/// Pseudo-random numbers.
fn numbers(count: usize, seed: u64) -> Vec<f32> {
    let at = |k: u64| (((k + 1) * (k + 7) + seed * 7919) as f64 * 0.618_033_988_749_894_9).fract() * 2.0 - 1.0;
    (0..count as u64).map(|k| at(k) as f32).collect()
}

fn mlp(sizes: &[usize]) -> Model {
    let mut model = Sequential::ntk(&sizes[..1]).mlp(&sizes[1..], Tanh).build().unwrap();
    let infos: Vec<_> = model.parameters().iter().map(|info| (info.name.clone(), info.shape.clone())).collect();
    for (k, (name, shape)) in infos.iter().enumerate() {
        let values = numbers(shape.iter().product(), k as u64).iter().map(|&x| 1.7 * f64::from(x)).collect();
        model.set(name, shape, values).unwrap();
    }
    model
}

fn on_cpu(model: &Model, x: &[f32], width: usize, outputs: Outputs) -> Kernel<f64> {
    let x: Vec<f64> = x.iter().map(|&x| f64::from(x)).collect();
    let session = Session::new(model, Cpu::<f64>::new()).unwrap();
    session.ntk().outputs(outputs).compute(&Batch::new(&x, &[x.len() / width, width]).unwrap()).unwrap()
}

/// The largest difference relative to the largest entry, over all components.
fn difference(kernel: &Kernel<f32>, want: &Kernel<f64>) -> f64 {
    let pairs = kernel.components().iter().map(|(_, own)| own).chain([kernel.total()]);
    let wanted = want.components().iter().map(|(_, own)| own).chain([want.total()]);
    let of = |(own, want): (&tangent_kernels::Matrix<f32>, &tangent_kernels::Matrix<f64>)| {
        let scale = want.as_slice().iter().fold(1e-300f64, |max, x| max.max(x.abs()));
        let worst = own.as_slice().iter().zip(want.as_slice());
        worst.map(|(x, y)| (f64::from(*x) - y).abs() / scale).fold(0.0, f64::max)
    };
    pairs.zip(wanted).map(of).fold(0.0, f64::max)
}

const MODES: [Outputs; 6] = [
    Outputs::Full,
    Outputs::TraceSum,
    Outputs::TraceMean,
    Outputs::PerOutput,
    Outputs::Output(1),
    Outputs::SumOfOutputs,
];

#[test]
fn every_mode_with_and_without_components() {
    let Some(gpu) = gpu::gpu() else { return };
    let model = mlp(&[5, 20, 9, 3]);
    let x = numbers(5 * 150, 3);
    let batch = Batch::new(&x, &[150, 5]).unwrap();
    let session = Session::new(&model, gpu).unwrap();
    for outputs in MODES {
        let want = on_cpu(&model, &x, 5, outputs);
        let kernel = session.ntk().outputs(outputs).compute(&batch).unwrap();
        let error = difference(&kernel, &want);
        assert!(error < 1e-5, "{outputs:?}: {error:e}");
        let total = session.ntk().outputs(outputs).components(false).compute(&batch).unwrap();
        assert!(total.total().distance(kernel.total()).unwrap() < 1e-5 * kernel.total().frobenius_norm());
        // Equal to the bit, also when repeated.
        let again = session.ntk().outputs(outputs).compute(&batch).unwrap();
        assert_eq!(again.total(), kernel.total());
        let size = kernel.total().rows();
        for block in 0..kernel.total().blocks() {
            let k = kernel.total().block(block);
            assert!((0..size).all(|i| (0..i).all(|j| k[i * size + j].to_bits() == k[j * size + i].to_bits())));
        }
    }
}

#[test]
fn other_samples_along_the_columns() {
    let Some(gpu) = gpu::gpu() else { return };
    let model = mlp(&[4, 30, 2]);
    let (x, z) = (numbers(4 * 70, 1), numbers(4 * 33, 2));
    let wide = |x: &[f32]| x.iter().map(|&x| f64::from(x)).collect::<Vec<_>>();
    let session = Session::new(&model, gpu).unwrap();
    let [x32, z32] = [(&x, 70), (&z, 33)].map(|(x, n)| Batch::new(x, &[n, 4]).unwrap());
    let kernel = session.ntk().between(&x32, &z32).unwrap();
    let (x, z) = (wide(&x), wide(&z));
    let [x, z] = [(&x, 70), (&z, 33)].map(|(x, n)| Batch::new(x, &[n, 4]).unwrap());
    let session = Session::new(&model, Cpu::<f64>::new()).unwrap();
    assert!(difference(&kernel, &session.ntk().between(&x, &z).unwrap()) < 1e-5);
}

/// With a memory budget the columns' panels are recomputed, regions are small, and the device gets less work at a time.
/// Steps of training on a device, and the kernel along the way, whose first layer's left sides are multiplied in on the
/// host.
#[test]
fn a_network_learns_on_the_device() -> Result<()> {
    let Some(gpu) = gpu::gpu() else { return Ok(()) };
    let (x, z) = (numbers(40 * 6, 1), numbers(9 * 6, 2));
    let (x, z) = (Batch::new(&x, &[40, 6])?, Batch::new(&z, &[9, 6])?);
    let signs = |count| numbers(count, 3).iter().map(|x| f64::from(x.signum())).collect::<Vec<_>>();
    let (y, test) = (signs(80), signs(18));
    let trained = |device: Device| -> Result<(Vec<f64>, Record, Matrix<f32>)> {
        let mut model = mlp(&[6, 8, 5, 2]);
        let mut trajectory = Trajectory::new(&x).labels(&y).test(&z, &test).eigenvalues(1);
        let (mut descent, mut losses, mut last) = (GradientDescent::new(0.2).momentum(0.5), Vec::new(), None);
        for step in 0..4 {
            let session = Session::new(&model, device.clone())?;
            last = Some(trajectory.record(&session, step, &[])?);
            let (loss, gradient) = session.loss_gradient(&x, Loss::Logistic(&y))?;
            losses.push(loss);
            descent.step(&mut model, &gradient)?;
        }
        Ok((losses, last.unwrap(), trajectory.last("d1")?))
    };
    let (here, there) = (trained(Device::cpu())?, trained(Device::from(gpu))?);
    let near =
        |a: f64, b: f64| assert!((a - b).abs() <= TOLERANCE * a.abs().max(1e-3), "{a} on the CPU, {b} on the device");
    here.0.iter().zip(&there.0).for_each(|(&a, &b)| near(a, b));
    for (a, b) in here.1.layers.iter().zip(&there.1.layers) {
        [(a.trace, b.trace), (a.norm, b.norm), (a.drift, b.drift), (a.eigenvalues[0], b.eigenvalues[0])]
            .into_iter()
            .for_each(|(a, b)| near(a, b));
    }
    let scale = here.2.as_slice().iter().fold(0.0f32, |max, x| max.max(x.abs()));
    let worst = here.2.as_slice().iter().zip(there.2.as_slice()).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
    assert!(f64::from(worst) < TOLERANCE * f64::from(scale), "{worst} of {scale}");
    assert!(here.1.total().drift > 1e-3, "nothing was learnt");
    Ok(())
}

#[test]
fn budgets_change_nothing_but_the_last_bits() {
    let Some(gpu) = gpu::gpu() else { return };
    let model = mlp(&[6, 40, 1]);
    let x = numbers(6 * 700, 4);
    let batch = Batch::new(&x, &[700, 6]).unwrap();
    let session = Session::new(&model, gpu).unwrap();
    let want = session.ntk().compute(&batch).unwrap();
    for budget in [200 << 20, 24 << 20] {
        let kernel = session.ntk().memory_budget(budget).compute(&batch).unwrap();
        let error = kernel.total().distance(want.total()).unwrap() / want.total().frobenius_norm();
        assert!(error < 1e-6, "{budget}: {error:e}");
    }
}

/// Only samples are uploaded, and only the needed part of K is read.
#[test]
fn data_stay_on_the_device() {
    let Some(gpu) = gpu::gpu() else { return };
    let model = mlp(&[7, 50, 50, 1]);
    let n = 300;
    let x = numbers(7 * n, 5);
    let batch = Batch::new(&x, &[n, 7]).unwrap();
    let alone = Gpu::named(gpu.name()).unwrap();
    let session = Session::new(&model, alone.clone()).unwrap();
    let ntk = session.ntk().components(false);
    // The first kernel runs the independence check and measures the tile shapes.
    ntk.compute(&batch).unwrap();
    let before = alone.traffic();
    ntk.compute(&batch).unwrap();
    let after = alone.traffic();
    assert_eq!(after.bytes_down - before.bytes_down, (4 * n * n) as u64);
    // The samples, a seed for the sweep, and the records of a tile.
    let (inputs, up) = ((4 * 7 * n) as u64, after.bytes_up - before.bytes_up);
    assert!((inputs..inputs + 2048).contains(&up), "{up} bytes went up, {inputs} of them samples");
}

/// A convolution with every strategy.
#[test]
fn every_way_of_a_convolution() {
    let Some(gpu) = gpu::gpu() else { return };
    let file = fixtures().into_iter().find(|file| file.to_string_lossy().contains("cnn")).expect("a CNN");
    let fixture = Fixture::read(&file).unwrap();
    let x: Vec<f32> = fixture.input.iter().map(|&x| x as f32).collect();
    let batch = Batch::new(&x, &fixture.input_shape).unwrap();
    let session = Session::new(&fixture.model, gpu).unwrap();
    let mut ran = 0;
    for strategy in Strategy::ALL {
        for info in fixture.model.parameters() {
            match session.ntk().force(&info.name, strategy).compute(&batch) {
                Ok(kernel) => {
                    ran += 1;
                    let (error, part) = fixture.worst_difference(&kernel).unwrap();
                    assert!(error < TOLERANCE, "{} by {strategy}: {error:e} at {part}", info.name);
                }
                Err(error) => assert!(error.is_unsupported(), "{error}"),
            }
        }
    }
    assert!(ran > fixture.model.parameters().len(), "several ways for some");
}

/// A device with arrays of at most 256 KiB, so that kernels are split into many regions.
fn small(name: &str) -> Result<Gpu> {
    let adapter = Adapter::all().into_iter().find(|adapter| adapter.name() == name).expect("it was there before");
    let limits = wgpu::Limits { max_storage_buffer_binding_size: 256 << 10, ..wgpu::Limits::default() };
    Gpu::with_limits(&adapter, limits)
}

/// Tiles and passes fit the arrays of a device.
#[test]
fn small_devices_compute_large_kernels() -> Result<()> {
    let Some(gpu) = gpu::gpu() else { return Ok(()) };
    let device = small(gpu.name())?;
    let model = mlp(&[6, 30, 2]);
    let x = numbers(6 * 500, 8);
    let batch = Batch::new(&x, &[500, 6])?;
    for outputs in [Outputs::Full, Outputs::TraceSum] {
        let session = Session::new(&model, device.clone())?;
        let kernel = session.ntk().outputs(outputs).compute(&batch)?;
        assert!(difference(&kernel, &on_cpu(&model, &x, 6, outputs)) < 1e-5);
    }
    // If a layer is so wide that no block of samples fits, the error comes before anything runs.
    let wide = mlp(&[6, 5000, 2]);
    let error = Session::new(&wide, device)?.ntk().compute(&batch).unwrap_err();
    assert!(error.is_memory() && error.to_string().contains("in one array"), "{error}");
    Ok(())
}

/// Regions are written to files while the next is computed. Factors that do not fit are recomputed.
#[cfg(feature = "store")]
#[test]
fn units_go_to_files() -> Result<()> {
    use tangent_kernels::{io::npy, store::NpyFile};
    let Some(gpu) = gpu::gpu() else { return Ok(()) };
    let model = mlp(&[6, 40, 1]);
    let x = numbers(6 * 700, 9);
    let batch = Batch::new(&x, &[700, 6])?;
    let session = Session::new(&model, small(gpu.name())?)?;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("K.npy");
    let want = session.ntk().components(false).compute(&batch)?;
    for (side, budget) in [(256, None), (300, Some(5 << 20))] {
        let ntk = session.ntk().components(false);
        let ntk = if let Some(bytes) = budget { ntk.memory_budget(bytes) } else { ntk };
        ntk.fill(&batch, &mut NpyFile::new(&path).side(side))?;
        let (shape, entries) = npy::read::<f32>(&path)?;
        assert_eq!(shape, [700, 700]);
        let worst = entries.iter().zip(want.total().as_slice()).map(|(x, y)| (x - y).abs()).fold(0f32, f32::max);
        assert!(worst < 1e-5 * want.total().as_slice().iter().fold(0f32, |max, x| max.max(x.abs())), "{worst}");
        std::fs::remove_file(&path).unwrap();
        std::fs::remove_file(path.with_extension("npy.journal")).ok();
    }
    Ok(())
}

/// The CPU as a `Device` computes the same bits.
#[test]
fn the_cpu_behind_a_device_is_the_cpu() -> Result<()> {
    let model = mlp(&[5, 20, 9, 3]);
    let x = numbers(5 * 90, 3);
    let batch = Batch::new(&x, &[90, 5])?;
    let behind = Session::new(&model, Device::cpu())?.ntk().compute(&batch)?;
    let plain = Session::new(&model, Cpu::<f32>::new())?.ntk().compute(&batch)?;
    assert_eq!((behind.total(), behind.components()), (plain.total(), plain.components()));
    Ok(())
}

/// Sums that are longer than a dispatch allows.
#[test]
fn very_wide_layers() -> Result<()> {
    let Some(gpu) = gpu::gpu() else { return Ok(()) };
    // A software device has memory for half the number of Jacobian rows.
    for (method, width) in [(Method::Structured, 200_000), (Method::FullJacobian, 100_000)] {
        let model = mlp(&[width, 2, 1]);
        // The weights are small: sums of regular numbers are large, and tanh is flat there.
        let x: Vec<f32> = numbers(width * 3, 1).iter().map(|x| 0.003 * x).collect();
        let session = Session::new(&model, gpu.clone())?;
        let kernel = session.ntk().method(method).compute(&Batch::new(&x, &[3, width])?)?;
        let error = difference(&kernel, &on_cpu(&model, &x, width, Outputs::Full));
        assert!(error < 1e-4, "{method}: {error:e}");
    }
    Ok(())
}

/// Two queues of one device share the regions. Then one device is lost, and the CPU computes the rest.
#[test]
fn several_devices_share_a_kernel_and_one_may_be_lost() -> Result<()> {
    let Some(gpu) = gpu::gpu() else { return Ok(()) };
    let model = mlp(&[6, 30, 1]);
    let n = 600;
    let x = numbers(6 * n, 6);
    let batch = Batch::new(&x, &[n, 6])?;
    let open = || small(gpu.name());
    let want = on_cpu(&model, &x, 6, Outputs::Full);
    let kernel = |cards: Vec<Gpu>| Session::new(&model, Device::several(cards)?)?.ntk().compute(&batch);
    let (one, two) = (open()?, open()?);
    let both = kernel(vec![one.clone(), two.clone()])?;
    assert!(difference(&both, &want) < 1e-5);
    assert!(both.manifest().expect("computed here").device.contains(" and "));
    for card in [&one, &two] {
        assert!(card.traffic().bytes_down > 0, "both computed");
    }
    two.device().destroy();
    assert!(difference(&kernel(vec![one.clone(), two.clone()])?, &want) < 1e-5);
    one.device().destroy();
    assert!(difference(&kernel(vec![one.clone(), two])?, &want) < 1e-5);
    // Without a fallback it is an error.
    let error = Session::new(&model, one)?.ntk().compute(&batch).unwrap_err();
    assert!(error.is_device() && error.to_string().contains(gpu.name()), "{error}");
    Ok(())
}

#[test]
fn devices_by_name() {
    assert!("cpu".parse::<Device>().unwrap().is_cpu());
    let Some(gpu) = gpu::gpu() else { return };
    assert_eq!(Device::named(&gpu.name().to_uppercase()).unwrap().name(), gpu.name());
    assert!(!"gpu".parse::<Device>().unwrap().is_cpu());
    assert!("no such device".parse::<Device>().is_err_and(|error| error.is_name()));
}

/// The device and queue of a host program, which continues to use them.
#[test]
fn a_host_shares_its_device() -> Result<()> {
    let Some(gpu) = gpu::gpu() else { return Ok(()) };
    let instance = wgpu::Instance::new(wgpu::InstanceDescriptor::new_without_display_handle_from_env());
    let all = pollster::block_on(instance.enumerate_adapters(wgpu::Backends::all()));
    let adapter = all.into_iter().find(|adapter| adapter.get_info().name == gpu.name()).expect("it was there before");
    let (device, queue) = pollster::block_on(adapter.request_device(&Default::default())).expect("WebGPU's own limits");
    let model = mlp(&[5, 20, 2]);
    let x = numbers(5 * 40, 1);
    let session = Session::new(&model, Gpu::from_wgpu(device.clone(), queue.clone())?)?;
    let kernel = session.ntk().compute(&Batch::new(&x, &[40, 5])?)?;
    assert!(difference(&kernel, &on_cpu(&model, &x, 5, Outputs::Full)) < 1e-5);
    let own = device.create_buffer(&wgpu::BufferDescriptor {
        label: None,
        size: 16,
        usage: wgpu::BufferUsages::COPY_DST,
        mapped_at_creation: false,
    });
    queue.write_buffer(&own, 0, &[7; 16]);
    queue.submit([]);
    device.poll(wgpu::PollType::wait_indefinitely()).expect("the device is the host's still");
    Ok(())
}
