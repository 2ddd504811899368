//! The GPU backend: arrays stay on the device, and primitives are WGSL kernels run through `wgpu`.

mod adapter;
mod context;
mod fault;
mod functions;
mod gram;
mod indexing;
mod kernels;
mod launch;
mod layout;
mod memory;
mod pointwise;
mod reductions;
#[cfg(test)]
mod shaders_tests;
mod storage;
mod tensor;
mod windows;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

pub use adapter::Adapter;
pub use gram::{Block, Shape as TileShape, Tuned};
pub use tensor::{Index, Tensor};
/// The version of `wgpu` that this crate uses, for host programs that share their device.
pub use wgpu;

use crate::error::{Error, Result};
use context::Context;

/// A GPU as a backend that computes in `f32`.
///
/// Arrays stay on the device. Only [uploads](super::Storage::upload) and [reads](super::Storage::read) transfer data.
/// Primitives are queued and return at once. Reading waits for them.
///
/// ```no_run
/// use tangent_kernels::Gpu;
/// use tangent_kernels::ops::{Reductions, Storage};
/// let gpu = Gpu::open()?;
/// let x = gpu.upload(&[1.0, 2.0, 3.0, 4.0], &[2, 2]);
/// assert_eq!(gpu.read(&gpu.matmul(&x, false, &x, true))?, [5.0, 11.0, 11.0, 25.0]);
/// # Ok::<(), tangent_kernels::Error>(())
/// ```
///
/// If the device runs out of memory or is lost, arrays carry the error and reading them returns it. Nothing panics.
///
/// Available with the feature `gpu`.
#[derive(Clone)]
pub struct Gpu(Arc<Context>);

/// The transfers and submissions of a device so far.
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
    /// The longest time of a submission, among those that were waited for.
    pub longest: Duration,
}

/// The default timeout of a submission: about a thousand times the time that a submission is meant to take.
const TIMEOUT: Duration = Duration::from_secs(60);

impl Gpu {
    /// The first device of [`Adapter::all`] that can be opened, which is of the fastest kind.
    ///
    /// # Errors
    /// There is no GPU, no driver for it, or its limits are too small.
    pub fn open() -> Result<Self> {
        let mut first_error = None;
        for adapter in Adapter::all() {
            match Gpu::on(&adapter) {
                Ok(gpu) => return Ok(gpu),
                Err(error) => _ = first_error.get_or_insert(error),
            }
        }
        Err(first_error.unwrap_or_else(no_gpu))
    }

    /// The first device whose name contains `name`. Case is ignored.
    ///
    /// # Errors
    /// As [`open`](Gpu::open), or no name contains `name`.
    pub fn named(name: &str) -> Result<Self> {
        let adapters = Adapter::all();
        let wanted = name.to_lowercase();
        let fits = |adapter: &&Adapter| !wanted.is_empty() && adapter.name().to_lowercase().contains(&wanted);
        match adapters.iter().find(fits) {
            Some(adapter) => Gpu::on(adapter),
            None if adapters.is_empty() => Err(no_gpu()),
            None => {
                let names: Vec<&str> = adapters.iter().map(Adapter::name).collect();
                Err(Error::name(format!("there is no GPU named '{name}'; the GPUs are {}", names.join(", "))))
            }
        }
    }

    /// Opens a device. A device that is opened twice has two queues.
    ///
    /// # Errors
    /// The driver refuses, or the limits are too small.
    pub fn on(adapter: &Adapter) -> Result<Self> {
        Gpu::with_limits(adapter, adapter.inner.limits())
    }

    /// Opens a device with the given limits.
    ///
    /// # Errors
    /// As [`on`](Gpu::on).
    pub fn with_limits(adapter: &Adapter, limits: wgpu::Limits) -> Result<Self> {
        adapter::check(adapter.name(), &limits)?;
        // The host can read such arrays in place. They are used if a trial finds that faster.
        let required_features = adapter.inner.features() & wgpu::Features::MAPPABLE_PRIMARY_BUFFERS;
        let request = wgpu::DeviceDescriptor { required_features, required_limits: limits, ..Default::default() };
        let (device, queue) = pollster::block_on(adapter.inner.request_device(&request))
            .map_err(|error| Error::device(format!("the GPU {} could not be opened: {error}", adapter.name())))?;
        Ok(Gpu(Arc::new(Context::new(device, queue, adapter.name().to_string(), TIMEOUT))))
    }

    /// Uses a device and queue of the host program. This replaces the device's handlers for uncaptured errors and for
    /// the loss of the device.
    ///
    /// # Errors
    /// The device's limits are too small.
    pub fn from_wgpu(device: wgpu::Device, queue: wgpu::Queue) -> Result<Self> {
        let name = device.adapter_info().name;
        adapter::check(&name, &device.limits())?;
        Ok(Gpu(Arc::new(Context::new(device, queue, name, TIMEOUT))))
    }

    /// The same device with another timeout: if it does not answer within `timeout`, it counts as failed from then on.
    /// The default is a minute. Clones share the timeout.
    #[must_use]
    pub fn with_timeout(self, timeout: Duration) -> Self {
        self.0.set_timeout(timeout);
        self
    }

    /// The device's name.
    pub fn name(&self) -> &str {
        &self.0.name
    }

    /// The transfers and submissions so far.
    pub fn traffic(&self) -> Traffic {
        let traffic = &self.0.traffic;
        let load = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Traffic {
            bytes_up: load(&traffic.up),
            bytes_down: load(&traffic.down),
            dispatches: load(&traffic.dispatches),
            submissions: load(&traffic.submissions),
            longest: Duration::from_micros(load(&traffic.longest_micros)),
        }
    }

    /// Waits until all queued work is done.
    ///
    /// # Errors
    /// The device failed, was lost, or does not answer.
    pub fn finish(&self) -> Result<()> {
        self.0.finish()
    }

    /// The `wgpu` device, for a host program that shares it.
    pub fn device(&self) -> &wgpu::Device {
        &self.0.device
    }
}

pub(super) fn no_gpu() -> Error {
    Error::device("there is no GPU, or no driver for one (Vulkan, Metal or DirectX 12)")
}
