//! A backend that is chosen at run time: the CPU or GPUs, as one type.

mod gram;
mod indexing;
mod pointwise;
mod reductions;
mod storage;
mod windows;

use std::str::FromStr;

use super::cpu::{self, Array, Cpu};
#[cfg(feature = "gpu")]
use super::gpu::{self, Adapter, Gpu};
use crate::error::{Error, Result};

pub use gram::{DeviceBlock, DeviceScratch};

/// A backend that is chosen at run time: the CPU, a GPU, or all GPUs. It computes in `f32`.
///
/// ```
/// use tangent_kernels::{Batch, Device, Sequential, Session, unary::Tanh};
/// let mut model = Sequential::standard(&[2]).mlp_without_bias(&[3, 1], Tanh).build()?;
/// # model.set("d1.weight", &[3, 2], vec![0.1, 0.2, 0.3, 0.4, 0.5, 0.6])?;
/// # model.set("d2.weight", &[1, 3], vec![1.0, -1.0, 1.0])?;
/// // The GPU if there is one, else the CPU.
/// let device = Device::gpu().unwrap_or(Device::cpu());
/// let session = Session::new(&model, device)?;
/// let kernel = session.ntk().compute(&Batch::new(&[1.0, 0.0, 0.0, 1.0], &[2, 2])?)?;
/// # assert_eq!(kernel.total().shape(), [1, 2, 2]);
/// # Ok::<(), tangent_kernels::Error>(())
/// ```
///
/// Several GPUs share the regions of a kernel: each takes the next one when it is ready. If a GPU fails, the others
/// compute its regions, and the CPU does if all have failed. Runs, gradients and Jacobians are computed by the first
/// GPU.
///
/// As text it is `cpu`, `gpu` (the fastest GPU), `all`, or a part of a GPU's name.
#[derive(Clone)]
pub struct Device {
    chosen: Chosen,
    /// GPUs that share the work.
    #[cfg(feature = "gpu")]
    others: Vec<Gpu>,
    /// The CPU takes over if all GPUs have failed.
    #[cfg(feature = "gpu")]
    with_fallback: bool,
}

#[derive(Clone)]
enum Chosen {
    Cpu(Cpu<f32>),
    #[cfg(feature = "gpu")]
    Gpu(Gpu),
}

impl From<Chosen> for Device {
    fn from(chosen: Chosen) -> Self {
        Device {
            chosen,
            #[cfg(feature = "gpu")]
            others: Vec::new(),
            #[cfg(feature = "gpu")]
            with_fallback: false,
        }
    }
}

impl Device {
    /// The CPU in `f32`. Use [`Cpu<f64>`](Cpu) for `f64`.
    pub fn cpu() -> Self {
        Chosen::Cpu(Cpu::new()).into()
    }

    /// True if this is the CPU.
    pub fn is_cpu(&self) -> bool {
        matches!(self.chosen, Chosen::Cpu(_))
    }
}

/// GPUs, with the feature `gpu`.
#[cfg(feature = "gpu")]
impl Device {
    /// The fastest GPU: see [`Gpu::open`].
    ///
    /// # Errors
    /// There is no GPU, no driver for it, or its limits are too small.
    pub fn gpu() -> Result<Self> {
        Gpu::open().map(Device::from)
    }

    /// The first GPU whose name contains `name`.
    ///
    /// # Errors
    /// As [`gpu`](Device::gpu), or no name contains `name`.
    pub fn named(name: &str) -> Result<Self> {
        Gpu::named(name).map(Device::from)
    }

    /// All GPUs, and the CPU if all of them fail. Software devices are used only if there is no other.
    ///
    /// # Errors
    /// No GPU could be opened.
    pub fn all() -> Result<Self> {
        let adapters = Adapter::all();
        let mut gpus = Vec::new();
        let mut first_error = None;
        for adapter in adapters.iter().filter(|adapter| adapter.takes_part(&adapters)) {
            match Gpu::on(adapter) {
                Ok(gpu) => gpus.push(gpu),
                Err(error) => _ = first_error.get_or_insert(error),
            }
        }
        if gpus.is_empty() {
            return Err(first_error.unwrap_or_else(gpu::no_gpu));
        }
        Device::several(gpus)
    }

    /// These GPUs together, and the CPU if all of them fail. An adapter that was opened twice has two queues.
    ///
    /// # Errors
    /// `gpus` is empty.
    pub fn several(gpus: Vec<Gpu>) -> Result<Self> {
        let mut gpus = gpus.into_iter();
        let first = gpus.next().ok_or_else(|| {
            Error::device("several GPUs as one device: the list is empty, at least one GPU is needed")
        })?;
        Ok(Device { chosen: Chosen::Gpu(first), others: gpus.collect(), with_fallback: true })
    }

    /// The GPU, or the first of several.
    pub fn as_gpu(&self) -> Option<&Gpu> {
        match &self.chosen {
            Chosen::Gpu(gpu) => Some(gpu),
            Chosen::Cpu(_) => None,
        }
    }
}

#[cfg(feature = "gpu")]
impl From<Gpu> for Device {
    fn from(gpu: Gpu) -> Self {
        Chosen::Gpu(gpu).into()
    }
}

#[cfg(not(feature = "gpu"))]
impl Device {
    /// Not available in this build: GPUs need the feature `gpu`.
    ///
    /// # Errors
    /// Always.
    pub fn gpu() -> Result<Self> {
        Err(Error::unsupported("this build computes on the CPU only: GPUs need the feature gpu"))
    }
}

impl FromStr for Device {
    type Err = Error;

    /// # Errors
    /// There is no device with this name.
    fn from_str(name: &str) -> Result<Self> {
        match name {
            "cpu" => Ok(Device::cpu()),
            "gpu" => Device::gpu(),
            #[cfg(feature = "gpu")]
            "all" => Device::all(),
            #[cfg(feature = "gpu")]
            name => Device::named(name),
            #[cfg(not(feature = "gpu"))]
            _ => Device::gpu(),
        }
    }
}

/// An array on a [`Device`].
#[derive(Clone)]
pub struct DeviceTensor(Handle<Array<f32>, GpuTensor>);

/// Row numbers on a [`Device`].
#[derive(Clone)]
pub struct DeviceIndex(Handle<cpu::Index, GpuIndex>);

#[cfg(feature = "gpu")]
type GpuTensor = gpu::Tensor;
#[cfg(feature = "gpu")]
type GpuIndex = gpu::Index;
#[cfg(feature = "gpu")]
type GpuBlock = gpu::Block;
#[cfg(not(feature = "gpu"))]
type GpuTensor = std::convert::Infallible;
#[cfg(not(feature = "gpu"))]
type GpuIndex = std::convert::Infallible;
#[cfg(not(feature = "gpu"))]
type GpuBlock = std::convert::Infallible;

/// An array, an index or a block of the chosen backend.
#[derive(Clone)]
enum Handle<C, G> {
    Cpu(C),
    #[cfg_attr(not(feature = "gpu"), allow(dead_code))]
    Gpu(G),
}

impl<C, G> Handle<C, G> {
    fn cpu(&self) -> &C {
        match self {
            Handle::Cpu(x) => x,
            Handle::Gpu(_) => panic!("an array of a GPU was used on the CPU"),
        }
    }
    #[cfg(feature = "gpu")]
    fn gpu(&self) -> &G {
        match self {
            Handle::Gpu(x) => x,
            Handle::Cpu(_) => panic!("an array of the CPU was used on a GPU"),
        }
    }
}

/// Calls the same primitive on the chosen backend, with that backend's handles, and wraps the result.
macro_rules! on {
    ($self:ident, $wrap:ident, |$arrays:ident, $handle:ident| $call:expr) => {
        match &$self.chosen {
            Chosen::Cpu($arrays) => {
                macro_rules! $handle {
                    ($x:expr) => {
                        $x.0.cpu()
                    };
                }
                $wrap(Handle::Cpu($call))
            }
            #[cfg(feature = "gpu")]
            Chosen::Gpu($arrays) => {
                macro_rules! $handle {
                    ($x:expr) => {
                        $x.0.gpu()
                    };
                }
                $wrap(Handle::Gpu($call))
            }
        }
    };
}
use on;
