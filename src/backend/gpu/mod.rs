//! Graphics cards: arrays that stay on the device, kernels in WGSL, through `wgpu`.

mod adapter;
mod context;
mod convolution;
mod elementwise;
mod fault;
mod functions;
mod gram;
mod index;
mod kernels;
mod layout;
mod matmul;
mod memory;
mod reduce;
#[cfg(test)]
mod shaders_tests;
mod sort;
mod tensor;

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

pub use adapter::Adapter;
pub use gram::{Block, Shape as TileShape, Tuned};
pub use tensor::{Index, Tensor};
/// The version of `wgpu` that this is built on: for hosts that share their device.
pub use wgpu;

use super::{Arrays, Relation, Window};
use crate::error::{Error, Result};
use crate::shape::numel;
use crate::unary::{Order, Unary};
use context::{Context, Run, buffer};
use kernels::Kernel;
use memory::{Buffer, Purpose};
use tensor::Storage;

/// A graphics card as a backend, computing in `f32`.
///
/// Arrays stay on the device: what goes up is what is [uploaded](Arrays::upload), and what comes down what is
/// [read](Arrays::read). Kernels are queued and return at once; reading waits.
///
/// ```no_run
/// use tangent_kernels::ops::Arrays;
/// use tangent_kernels::Gpu;
/// let gpu = Gpu::open()?;
/// let x = gpu.upload(&[1.0, 2.0, 3.0, 4.0], &[2, 2]);
/// assert_eq!(gpu.read(&gpu.matmul(&x, false, &x, true))?, [5.0, 11.0, 11.0, 25.0]);
/// # Ok::<(), tangent_kernels::Error>(())
/// ```
///
/// A device that runs out of memory or is lost gives poisoned arrays, whose reading is the error; nothing panics.
///
/// Available with the feature `gpu`.
#[derive(Clone)]
pub struct Gpu(Arc<Context>);

/// What went between the host and a device.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Traffic {
    /// Bytes of arrays that were uploaded.
    pub bytes_up: u64,
    /// Bytes that were read.
    pub bytes_down: u64,
    /// Dispatches of kernels.
    pub dispatches: u64,
    /// Submissions, each of several dispatches.
    pub submissions: u64,
    /// The longest time that a submission took, among those that were waited for before others could be sent.
    pub longest: Duration,
}

/// A submission that takes longer is given up, unless told otherwise: it is a thousand times what one should take.
const TIMEOUT: Duration = Duration::from_secs(60);

impl Gpu {
    /// The first device of [`Adapter::all`] that can be opened: the fastest kind.
    ///
    /// # Errors
    /// There is none, or no driver for it; its limits are too small.
    pub fn open() -> Result<Self> {
        let mut first = None;
        for adapter in Adapter::all() {
            match Gpu::on(&adapter) {
                Ok(gpu) => return Ok(gpu),
                Err(error) => _ = first.get_or_insert(error),
            }
        }
        Err(first.unwrap_or_else(none))
    }

    /// The first device whose name has `name` in it, in small letters or large.
    ///
    /// # Errors
    /// As [`open`](Gpu::open); no name fits.
    pub fn named(name: &str) -> Result<Self> {
        let all = Adapter::all();
        let fits =
            |adapter: &&Adapter| !name.is_empty() && adapter.name().to_lowercase().contains(&name.to_lowercase());
        match all.iter().find(fits) {
            Some(adapter) => Gpu::on(adapter),
            None if all.is_empty() => Err(none()),
            None => {
                let names: Vec<&str> = all.iter().map(Adapter::name).collect();
                Err(Error::name(format!("there is no graphics device '{name}'; there are {}", names.join(", "))))
            }
        }
    }

    /// Opens a device. One that is opened twice has two queues.
    ///
    /// # Errors
    /// The driver refuses, or limits are too small.
    pub fn on(adapter: &Adapter) -> Result<Self> {
        Gpu::with_limits(adapter, adapter.inner.limits())
    }

    /// Opens a device with limits of your own.
    ///
    /// # Errors
    /// As [`on`](Gpu::on).
    pub fn with_limits(adapter: &Adapter, limits: wgpu::Limits) -> Result<Self> {
        adapter::check(adapter.name(), &limits)?;
        // Arrays that the host reads where they are: used if a trial finds that faster.
        let required_features = adapter.inner.features() & wgpu::Features::MAPPABLE_PRIMARY_BUFFERS;
        let request = wgpu::DeviceDescriptor { required_features, required_limits: limits, ..Default::default() };
        let (device, queue) = pollster::block_on(adapter.inner.request_device(&request))
            .map_err(|error| Error::device(format!("{} could not be opened: {error}", adapter.name())))?;
        Ok(Gpu(Arc::new(Context::new(device, queue, adapter.name().to_string(), TIMEOUT))))
    }

    /// A device and queue that a host program has already. This takes over the handlers for errors that are not
    /// captured and for the loss of the device.
    ///
    /// # Errors
    /// The device's limits are too small.
    pub fn from_wgpu(device: wgpu::Device, queue: wgpu::Queue) -> Result<Self> {
        let name = device.adapter_info().name;
        adapter::check(&name, &device.limits())?;
        Ok(Gpu(Arc::new(Context::new(device, queue, name, TIMEOUT))))
    }

    /// The same device, given up if it does not answer within `timeout` when it is waited for: a minute, if nothing is said.
    /// Clones share it. A device that was given up stays so.
    #[must_use]
    pub fn with_timeout(self, timeout: Duration) -> Self {
        self.0.set_timeout(timeout);
        self
    }

    /// The device's name.
    pub fn name(&self) -> &str {
        &self.0.name
    }

    /// What went between the host and the device so far.
    pub fn traffic(&self) -> Traffic {
        let traffic = &self.0.traffic;
        let of = |counter: &std::sync::atomic::AtomicU64| counter.load(Ordering::Relaxed);
        Traffic {
            bytes_up: of(&traffic.up),
            bytes_down: of(&traffic.down),
            dispatches: of(&traffic.dispatches),
            submissions: of(&traffic.submissions),
            longest: Duration::from_micros(of(&traffic.longest_micros)),
        }
    }

    /// Waits until all that was asked for is done.
    ///
    /// # Errors
    /// The device failed, was lost, or does not answer.
    pub fn finish(&self) -> Result<()> {
        self.0.finish()
    }

    /// The device itself, for a host program that shares it.
    pub fn device(&self) -> &wgpu::Device {
        &self.0.device
    }

    /// The array of `shape` that a kernel writes.
    fn launch(&self, launch: Launch<'_>) -> Tensor {
        let shape = launch.shape.to_vec();
        let storage = self.launched(launch);
        Tensor { shape, storage }
    }

    fn launched(&self, launch: Launch<'_>) -> Storage {
        let output = self.empty(numel(launch.shape))?;
        self.launch_to(&launch, &output)?;
        Ok(output)
    }

    /// Runs a kernel that writes to `output`.
    fn launch_to(&self, launch: &Launch<'_>, output: &Buffer) -> Result<()> {
        let inputs = launch.inputs.iter().map(|storage| buffer(storage)).collect::<Result<Vec<_>>>()?;
        if launch.words.len() > kernels::OWN_WORDS {
            let shape = launch.shape;
            return Err(Error::unsupported(format!("{shape:?} has too many axes for kernels on graphics devices")));
        }
        self.0.run(&Run {
            kernel: launch.kernel,
            inputs: &inputs,
            output,
            words: launch.words,
            groups: launch.groups,
            work: launch.work,
        });
        Ok(())
    }

    /// A buffer for so many numbers, whose contents are anything.
    fn empty(&self, entries: usize) -> Storage {
        self.0.fault.check()?;
        Ok(Arc::new(self.0.pool.take(Purpose::Array, 4 * entries as u64)?))
    }
}

pub(super) fn none() -> Error {
    Error::device("there is no graphics device, or no driver for one (Vulkan, Metal or DirectX 12)")
}

/// A kernel about to be run.
struct Launch<'a> {
    kernel: &'a Kernel,
    inputs: &'a [&'a Storage],
    shape: &'a [usize],
    words: &'a [u32],
    groups: usize,
    /// Operations of a workgroup, about.
    work: f64,
}

/// Entries that a workgroup of 256 invocations takes: what each.wgsl knows.
const ENTRIES: usize = 1024;

/// What an entry costs that is read and written, in operations.
const TOUCH: f64 = 8.0;

/// The workgroups for so many entries.
fn groups(entries: usize) -> usize {
    entries.div_ceil(ENTRIES)
}

impl Arrays for Gpu {
    type Number = f32;
    type Tensor = Tensor;
    type Index = Index;

    fn upload(&self, data: &[f32], shape: &[usize]) -> Tensor {
        assert_eq!(data.len(), numel(shape), "entries for {shape:?}");
        let storage = self.0.fault.check().and_then(|()| self.0.upload(bytemuck::cast_slice(data))).map(Arc::new);
        Tensor { shape: shape.to_vec(), storage }
    }
    fn read(&self, x: &Tensor) -> Result<Vec<f32>> {
        let bytes = 4 * numel(&x.shape) as u64;
        let buffer = buffer(&x.storage)?;
        if bytes == 0 {
            return self.0.fault.check().map(|()| Vec::new());
        }
        self.0.read(buffer, bytes, bytemuck::pod_collect_to_vec)
    }
    fn shape<'a>(&self, x: &'a Tensor) -> &'a [usize] {
        &x.shape
    }
    fn full(&self, value: f64, shape: &[usize]) -> Tensor {
        self.filled(value as f32, shape)
    }
    fn reshape(&self, x: &Tensor, shape: &[usize]) -> Tensor {
        assert_eq!(numel(&x.shape), numel(shape), "{:?} as {shape:?}", x.shape);
        Tensor { shape: shape.to_vec(), storage: x.storage.clone() }
    }
    fn slice(&self, x: &Tensor, axis: usize, range: Range<usize>) -> Tensor {
        self.sliced(x, axis, range)
    }
    fn permute(&self, x: &Tensor, order: &[usize]) -> Tensor {
        self.permuted(x, order)
    }
    fn concat(&self, list: &[&Tensor], axis: usize) -> Tensor {
        self.concatenated(list, axis)
    }
    fn sum(&self, x: &Tensor, axes: &[usize]) -> Tensor {
        self.summed(x, axes)
    }
    fn affine(&self, x: &Tensor, a: f64, b: f64) -> Tensor {
        let numbers = [(a as f32).to_bits(), (b as f32).to_bits()];
        self.mapped(&kernels::AFFINE, &[x], &numbers, TOUCH)
    }
    fn add(&self, x: &Tensor, y: &Tensor) -> Tensor {
        self.zipped(&kernels::ADD, x, y)
    }
    fn mul(&self, x: &Tensor, y: &Tensor) -> Tensor {
        self.zipped(&kernels::MUL, x, y)
    }
    fn matmul(&self, x: &Tensor, transpose_x: bool, y: &Tensor, transpose_y: bool) -> Tensor {
        self.product(x, transpose_x, y, transpose_y)
    }
    fn apply(&self, f: Unary, x: &Tensor) -> Tensor {
        match functions::formula(f) {
            Ok(formula) => self.function(&kernels::apply(&formula), &[x], formula.parameters),
            Err(error) => Tensor { shape: x.shape.clone(), storage: Err(error) },
        }
    }
    fn apply_derivative(&self, f: Unary, order: Order, x: &Tensor, y: &Tensor, g: &Tensor) -> Tensor {
        assert_eq!(x.shape, g.shape, "shapes of x and g");
        let formula = match functions::formula(f) {
            Ok(formula) => formula,
            Err(error) => return Tensor { shape: x.shape.clone(), storage: Err(error) },
        };
        let kernel = kernels::apply_derivative(&formula, order == Order::Second);
        self.function(&kernel, &[x, y, g], formula.parameters)
    }
    fn compare(&self, relation: Relation, x: &Tensor, y: &Tensor) -> Tensor {
        self.compared(relation, x, y)
    }
    fn select(&self, mask: &Tensor, x: &Tensor, y: &Tensor) -> Tensor {
        self.selected(mask, x, y)
    }
    fn sort_order(&self, x: &Tensor, descending: bool) -> Tensor {
        self.sorted(x, descending)
    }
    fn softmax(&self, x: &Tensor) -> Tensor {
        self.by_row(&kernels::SOFTMAX, x)
    }
    fn log_softmax(&self, x: &Tensor) -> Tensor {
        self.by_row(&kernels::LOG_SOFTMAX, x)
    }

    fn patches(&self, x: &Tensor, window: &Window) -> Tensor {
        self.patches_of(x, window)
    }
    fn convolve(&self, x: &Tensor, w: &Tensor, window: &Window) -> Tensor {
        self.convolved(x, w, window)
    }
    fn convolve_input(&self, dy: &Tensor, w: &Tensor, window: &Window, size: [usize; 2]) -> Tensor {
        self.input_of_convolved(dy, w, window, size)
    }
    fn convolve_weight(&self, x: &Tensor, dy: &Tensor, window: &Window) -> Tensor {
        self.weights_of_convolved(x, dy, window)
    }
    fn convolve_weight_sum(&self, x: &Tensor, dy: &Tensor, window: &Window) -> Tensor {
        self.weight_of_convolved(x, dy, window)
    }
    fn window_sum(&self, x: &Tensor, window: &Window) -> Tensor {
        self.window_summed(x, window)
    }
    fn window_spread(&self, dy: &Tensor, window: &Window, size: [usize; 2]) -> Tensor {
        self.window_spread_of(dy, window, size)
    }

    fn window_argmax(&self, x: &Tensor, window: &Window) -> Index {
        self.largest(x, window)
    }
    fn indices(&self, x: &Tensor, rows: usize, apart: bool) -> Index {
        self.rows_of(x, rows, apart)
    }
    fn gather(&self, x: &Tensor, index: &Index) -> Tensor {
        self.gathered(x, index)
    }
    fn scatter(&self, y: &Tensor, index: &Index, rows: usize) -> Tensor {
        self.scattered(y, index, rows)
    }
}

/// Numbers as words.
fn word(size: usize) -> u32 {
    // Arrays have fewer than 2^30 entries, as a binding has fewer than 2^32 bytes.
    u32::try_from(size).unwrap_or(u32::MAX)
}
