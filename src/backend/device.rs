//! A device that is chosen while the program runs: the CPU or graphics cards, behind one type.

use std::ops::Range;
use std::str::FromStr;

use super::cpu::{Array, Cpu};
#[cfg(feature = "gpu")]
use super::gpu::{self, Adapter, Gpu};
use super::{Arrays, ContractionPlan, Gram, Helpers, Panels, Rates, Relation, RightPanel, TileConfig, Window, cpu};
use crate::error::{Error, Result};
use crate::unary::{Order, Unary};

/// The CPU, a graphics card, or all of them, computing in `f32`: a backend that is chosen while the program runs.
///
/// ```
/// use tangent_kernels::{Batch, Device, Sequential, Session, unary::Tanh};
/// let mut model = Sequential::standard(&[2]).mlp_without_bias(&[3, 1], Tanh).build()?;
/// # model.set("d1.weight", &[3, 2], vec![0.1, 0.2, 0.3, 0.4, 0.5, 0.6])?;
/// # model.set("d2.weight", &[1, 3], vec![1.0, -1.0, 1.0])?;
/// // A card if there is one.
/// let device = Device::gpu().unwrap_or(Device::cpu());
/// let session = Session::new(&model, device)?;
/// let kernel = session.ntk().compute(&Batch::new(&[1.0, 0.0, 0.0, 1.0], &[2, 2])?)?;
/// # assert_eq!(kernel.total().shape(), [1, 2, 2]);
/// # Ok::<(), tangent_kernels::Error>(())
/// ```
///
/// Several cards share a kernel's units: each takes the next one when it is done with one, and one that fails gives back what it had to
/// the others, in the end to the CPU. Runs, gradients and Jacobians are the first card's.
///
/// As text it is `cpu`, `gpu` (the best card), `all`, or a part of a card's name.
#[derive(Clone)]
pub struct Device {
    own: Own,
    /// Cards that share the work; the CPU stands in when all have failed.
    #[cfg(feature = "gpu")]
    others: Vec<Gpu>,
    #[cfg(feature = "gpu")]
    shares: bool,
}

#[derive(Clone)]
enum Own {
    Cpu(Cpu<f32>),
    #[cfg(feature = "gpu")]
    Gpu(Gpu),
}

impl From<Own> for Device {
    fn from(own: Own) -> Self {
        Device {
            own,
            #[cfg(feature = "gpu")]
            others: Vec::new(),
            #[cfg(feature = "gpu")]
            shares: false,
        }
    }
}

impl Device {
    /// The CPU, in `f32`. For `f64` there is [`Cpu<f64>`](Cpu).
    pub fn cpu() -> Self {
        Own::Cpu(Cpu::new()).into()
    }

    /// Is it the CPU?
    pub fn is_cpu(&self) -> bool {
        matches!(self.own, Own::Cpu(_))
    }
}

/// Graphics cards: with the feature `gpu`.
#[cfg(feature = "gpu")]
impl Device {
    /// The best graphics card: see [`Gpu::open`].
    ///
    /// # Errors
    /// There is none, or no driver for it; its limits are too small.
    pub fn gpu() -> Result<Self> {
        Gpu::open().map(Device::from)
    }

    /// The first graphics card whose name has `name` in it.
    ///
    /// # Errors
    /// As [`gpu`](Device::gpu); no name fits.
    pub fn named(name: &str) -> Result<Self> {
        Gpu::named(name).map(Device::from)
    }

    /// All graphics cards, with the CPU as the last resort. Software devices are left out where there is another.
    ///
    /// # Errors
    /// None could be opened.
    pub fn all() -> Result<Self> {
        let adapters = Adapter::all();
        let chosen = adapters.iter().filter(|adapter| adapter.takes_part(&adapters));
        let (mut cards, mut first) = (Vec::new(), None);
        for adapter in chosen {
            match Gpu::on(adapter) {
                Ok(gpu) => cards.push(gpu),
                Err(error) => _ = first.get_or_insert(error),
            }
        }
        if cards.is_empty() {
            return Err(first.unwrap_or_else(gpu::none));
        }
        Device::several(cards)
    }

    /// These cards together, with the CPU as the last resort. One adapter opened twice has two queues.
    ///
    /// # Errors
    /// The list is empty.
    pub fn several(cards: Vec<Gpu>) -> Result<Self> {
        let mut cards = cards.into_iter();
        let first = cards.next().ok_or_else(|| Error::device("no graphics device was given"))?;
        Ok(Device { own: Own::Gpu(first), others: cards.collect(), shares: true })
    }

    /// The graphics card, the first of several.
    pub fn as_gpu(&self) -> Option<&Gpu> {
        match &self.own {
            Own::Gpu(gpu) => Some(gpu),
            Own::Cpu(_) => None,
        }
    }
}

#[cfg(feature = "gpu")]
impl From<Gpu> for Device {
    fn from(gpu: Gpu) -> Self {
        Own::Gpu(gpu).into()
    }
}

#[cfg(not(feature = "gpu"))]
impl Device {
    /// Not in this build: graphics cards need the feature `gpu`.
    ///
    /// # Errors
    /// Always.
    pub fn gpu() -> Result<Self> {
        Err(Error::unsupported("this build computes on the CPU only: graphics devices need the feature gpu"))
    }
}

impl FromStr for Device {
    type Err = Error;

    /// # Errors
    /// There is no such device.
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
pub struct DeviceTensor(Held<Array<f32>, GpuTensor>);

/// Row numbers on a [`Device`].
#[derive(Clone)]
pub struct DeviceIndex(Held<cpu::Index, GpuIndex>);

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

/// What a device holds.
#[derive(Clone)]
enum Held<C, G> {
    Cpu(C),
    #[cfg_attr(not(feature = "gpu"), allow(dead_code))]
    Gpu(G),
}

impl<C, G> Held<C, G> {
    fn cpu(&self) -> &C {
        match self {
            Held::Cpu(x) => x,
            Held::Gpu(_) => panic!("an array of a graphics card, used on the CPU"),
        }
    }
    #[cfg(feature = "gpu")]
    fn gpu(&self) -> &G {
        match self {
            Held::Gpu(x) => x,
            Held::Cpu(_) => panic!("an array of the CPU, used on a graphics card"),
        }
    }
}

/// Calls the same kernel on the device that this is, with arrays as it holds them, and wraps the result.
macro_rules! on {
    ($self:ident, $wrap:ident, |$arrays:ident, $held:ident| $call:expr) => {
        match &$self.own {
            Own::Cpu($arrays) => {
                macro_rules! $held {
                    ($x:expr) => {
                        $x.0.cpu()
                    };
                }
                $wrap(Held::Cpu($call))
            }
            #[cfg(feature = "gpu")]
            Own::Gpu($arrays) => {
                macro_rules! $held {
                    ($x:expr) => {
                        $x.0.gpu()
                    };
                }
                $wrap(Held::Gpu($call))
            }
        }
    };
}

impl Arrays for Device {
    type Number = f32;
    type Tensor = DeviceTensor;
    type Index = DeviceIndex;

    fn upload(&self, data: &[f32], shape: &[usize]) -> DeviceTensor {
        match &self.own {
            Own::Cpu(cpu) => DeviceTensor(Held::Cpu(cpu.upload(data, shape))),
            #[cfg(feature = "gpu")]
            Own::Gpu(gpu) => DeviceTensor(Held::Gpu(gpu.upload(data, shape))),
        }
    }
    fn read(&self, x: &DeviceTensor) -> Result<Vec<f32>> {
        match &self.own {
            Own::Cpu(cpu) => cpu.read(x.0.cpu()),
            #[cfg(feature = "gpu")]
            Own::Gpu(gpu) => gpu.read(x.0.gpu()),
        }
    }
    fn shape<'a>(&self, x: &'a DeviceTensor) -> &'a [usize] {
        match &self.own {
            Own::Cpu(cpu) => cpu.shape(x.0.cpu()),
            #[cfg(feature = "gpu")]
            Own::Gpu(gpu) => gpu.shape(x.0.gpu()),
        }
    }
    fn full(&self, value: f64, shape: &[usize]) -> DeviceTensor {
        match &self.own {
            Own::Cpu(cpu) => DeviceTensor(Held::Cpu(cpu.full(value, shape))),
            #[cfg(feature = "gpu")]
            Own::Gpu(gpu) => DeviceTensor(Held::Gpu(gpu.full(value, shape))),
        }
    }
    fn reshape(&self, x: &DeviceTensor, shape: &[usize]) -> DeviceTensor {
        on!(self, DeviceTensor, |arrays, held| arrays.reshape(held!(x), shape))
    }
    fn slice(&self, x: &DeviceTensor, axis: usize, range: Range<usize>) -> DeviceTensor {
        on!(self, DeviceTensor, |arrays, held| arrays.slice(held!(x), axis, range))
    }
    fn permute(&self, x: &DeviceTensor, order: &[usize]) -> DeviceTensor {
        on!(self, DeviceTensor, |arrays, held| arrays.permute(held!(x), order))
    }
    fn concat(&self, list: &[&DeviceTensor], axis: usize) -> DeviceTensor {
        on!(self, DeviceTensor, |arrays, held| {
            arrays.concat(&list.iter().map(|x| held!(x)).collect::<Vec<_>>(), axis)
        })
    }
    fn sum(&self, x: &DeviceTensor, axes: &[usize]) -> DeviceTensor {
        on!(self, DeviceTensor, |arrays, held| arrays.sum(held!(x), axes))
    }
    fn affine(&self, x: &DeviceTensor, a: f64, b: f64) -> DeviceTensor {
        on!(self, DeviceTensor, |arrays, held| arrays.affine(held!(x), a, b))
    }
    fn add(&self, x: &DeviceTensor, y: &DeviceTensor) -> DeviceTensor {
        on!(self, DeviceTensor, |arrays, held| arrays.add(held!(x), held!(y)))
    }
    fn mul(&self, x: &DeviceTensor, y: &DeviceTensor) -> DeviceTensor {
        on!(self, DeviceTensor, |arrays, held| arrays.mul(held!(x), held!(y)))
    }
    fn matmul(&self, x: &DeviceTensor, transpose_x: bool, y: &DeviceTensor, transpose_y: bool) -> DeviceTensor {
        on!(self, DeviceTensor, |arrays, held| arrays.matmul(held!(x), transpose_x, held!(y), transpose_y))
    }
    fn apply(&self, f: Unary, x: &DeviceTensor) -> DeviceTensor {
        on!(self, DeviceTensor, |arrays, held| arrays.apply(f, held!(x)))
    }
    fn apply_derivative(
        &self,
        f: Unary,
        order: Order,
        x: &DeviceTensor,
        y: &DeviceTensor,
        g: &DeviceTensor,
    ) -> DeviceTensor {
        on!(self, DeviceTensor, |arrays, held| arrays.apply_derivative(f, order, held!(x), held!(y), held!(g)))
    }
    fn compare(&self, relation: Relation, x: &DeviceTensor, y: &DeviceTensor) -> DeviceTensor {
        on!(self, DeviceTensor, |arrays, held| arrays.compare(relation, held!(x), held!(y)))
    }
    fn select(&self, mask: &DeviceTensor, x: &DeviceTensor, y: &DeviceTensor) -> DeviceTensor {
        on!(self, DeviceTensor, |arrays, held| arrays.select(held!(mask), held!(x), held!(y)))
    }
    fn sort_order(&self, x: &DeviceTensor, descending: bool) -> DeviceTensor {
        on!(self, DeviceTensor, |arrays, held| arrays.sort_order(held!(x), descending))
    }
    fn softmax(&self, x: &DeviceTensor) -> DeviceTensor {
        on!(self, DeviceTensor, |arrays, held| arrays.softmax(held!(x)))
    }
    fn log_softmax(&self, x: &DeviceTensor) -> DeviceTensor {
        on!(self, DeviceTensor, |arrays, held| arrays.log_softmax(held!(x)))
    }

    fn patches(&self, x: &DeviceTensor, window: &Window) -> DeviceTensor {
        on!(self, DeviceTensor, |arrays, held| arrays.patches(held!(x), window))
    }
    fn convolve(&self, x: &DeviceTensor, w: &DeviceTensor, window: &Window) -> DeviceTensor {
        on!(self, DeviceTensor, |arrays, held| arrays.convolve(held!(x), held!(w), window))
    }
    fn convolve_input(&self, dy: &DeviceTensor, w: &DeviceTensor, window: &Window, size: [usize; 2]) -> DeviceTensor {
        on!(self, DeviceTensor, |arrays, held| arrays.convolve_input(held!(dy), held!(w), window, size))
    }
    fn convolve_weight(&self, x: &DeviceTensor, dy: &DeviceTensor, window: &Window) -> DeviceTensor {
        on!(self, DeviceTensor, |arrays, held| arrays.convolve_weight(held!(x), held!(dy), window))
    }
    fn convolve_weight_sum(&self, x: &DeviceTensor, dy: &DeviceTensor, window: &Window) -> DeviceTensor {
        on!(self, DeviceTensor, |arrays, held| arrays.convolve_weight_sum(held!(x), held!(dy), window))
    }
    fn window_sum(&self, x: &DeviceTensor, window: &Window) -> DeviceTensor {
        on!(self, DeviceTensor, |arrays, held| arrays.window_sum(held!(x), window))
    }
    fn window_spread(&self, dy: &DeviceTensor, window: &Window, size: [usize; 2]) -> DeviceTensor {
        on!(self, DeviceTensor, |arrays, held| arrays.window_spread(held!(dy), window, size))
    }

    fn window_argmax(&self, x: &DeviceTensor, window: &Window) -> DeviceIndex {
        on!(self, DeviceIndex, |arrays, held| arrays.window_argmax(held!(x), window))
    }
    fn indices(&self, x: &DeviceTensor, rows: usize, apart: bool) -> DeviceIndex {
        on!(self, DeviceIndex, |arrays, held| arrays.indices(held!(x), rows, apart))
    }
    fn gather(&self, x: &DeviceTensor, index: &DeviceIndex) -> DeviceTensor {
        on!(self, DeviceTensor, |arrays, held| arrays.gather(held!(x), held!(index)))
    }
    fn scatter(&self, y: &DeviceTensor, index: &DeviceIndex, rows: usize) -> DeviceTensor {
        on!(self, DeviceTensor, |arrays, held| arrays.scatter(held!(y), held!(index), rows))
    }
}

/// Memory that a worker on a [`Device`] keeps.
#[derive(Default)]
pub struct DeviceScratch(cpu::Scratch<f32>);

/// A block of samples on a [`Device`].
#[derive(Default)]
pub struct DeviceBlock(Option<Held<cpu::Block<f32>, GpuBlock>>);

impl Gram for Device {
    type Scratch = DeviceScratch;
    type Packed = DeviceBlock;

    fn name(&self) -> String {
        match &self.own {
            Own::Cpu(cpu) => cpu.name(),
            #[cfg(feature = "gpu")]
            Own::Gpu(gpu) => {
                let names: Vec<String> = std::iter::once(gpu).chain(&self.others).map(Gram::name).collect();
                names.join(" and ")
            }
        }
    }

    /// Of several cards, what suits them all.
    fn tile_config(&self) -> TileConfig {
        match &self.own {
            Own::Cpu(cpu) => cpu.tile_config(),
            #[cfg(feature = "gpu")]
            Own::Gpu(gpu) => {
                let grains = self.others.iter().map(Gram::tile_config);
                let least =
                    |one: TileConfig, two: TileConfig| if two.array_bytes < one.array_bytes { two } else { one };
                grains.fold(gpu.tile_config(), least)
            }
        }
    }

    fn rates(&self) -> Rates {
        match &self.own {
            Own::Cpu(cpu) => cpu.rates(),
            #[cfg(feature = "gpu")]
            Own::Gpu(gpu) => gpu.rates(),
        }
    }

    fn helpers(&self) -> Helpers<Self> {
        #[cfg(feature = "gpu")]
        if self.shares {
            let others = self.others.iter().cloned().map(Device::from).collect();
            return Helpers { others, last: Some(Device::cpu()) };
        }
        Helpers { others: Vec::new(), last: None }
    }

    fn pack(
        &self,
        contraction_plan: &ContractionPlan,
        parts: &[Panels<DeviceTensor>],
        packed: &mut DeviceBlock,
    ) -> Result<()> {
        match &self.own {
            Own::Cpu(cpu) => {
                let parts: Vec<_> = parts.iter().map(|part| unwrapped(part, |x| x.0.cpu().clone())).collect();
                let mut block = match packed.0.take() {
                    Some(Held::Cpu(block)) => block,
                    _ => cpu::Block::default(),
                };
                cpu.pack(contraction_plan, &parts, &mut block)?;
                packed.0 = Some(Held::Cpu(block));
            }
            #[cfg(feature = "gpu")]
            Own::Gpu(gpu) => {
                let parts: Vec<_> = parts.iter().map(|part| unwrapped(part, |x| x.0.gpu().clone())).collect();
                let mut block = gpu::Block::default();
                gpu.pack(contraction_plan, &parts, &mut block)?;
                packed.0 = Some(Held::Gpu(block));
            }
        }
        Ok(())
    }

    fn tile(
        &self,
        contraction_plan: &ContractionPlan,
        rows: &DeviceBlock,
        cols: &DeviceBlock,
        scratch: &mut DeviceScratch,
        out: &mut [f32],
    ) -> Result<()> {
        let [rows, cols] = [rows, cols].map(|block| block.0.as_ref().expect("packed before"));
        match &self.own {
            Own::Cpu(cpu) => cpu.tile(contraction_plan, rows.cpu(), cols.cpu(), &mut scratch.0, out),
            #[cfg(feature = "gpu")]
            Own::Gpu(gpu) => gpu.tile(contraction_plan, rows.gpu(), cols.gpu(), &mut (), out),
        }
    }
}

fn unwrapped<T>(panels: &Panels<DeviceTensor>, take: impl Fn(&DeviceTensor) -> T) -> Panels<T> {
    let right = |right: &RightPanel<DeviceTensor>| match right.array() {
        Some(array) => RightPanel::Array(take(array)),
        None => RightPanel::OneHot,
    };
    Panels {
        samples: panels.samples,
        lefts: panels.lefts.iter().map(&take).collect(),
        rights: panels.rights.iter().map(right).collect(),
    }
}
