//! What is measured: products and kernels, on a device and on the CPU.

use std::fmt;
use std::time::Instant;

use rayon::prelude::*;
use tangent_kernels::Gram;
use tangent_kernels::kernel::sink::{Frame, RegionData, Sink};
use tangent_kernels::ops::{Reductions, Storage};
use tangent_kernels::{Batch, Cpu, Device, Error, Gpu, Model, Result, Session};

use crate::machine::{median, numbers};
use crate::mlp::mlp;
use crate::ruler::wait;

#[derive(Clone, Copy)]
pub enum Case {
    /// X X^T for `samples` rows of `width` features.
    Product { samples: usize, width: usize },
    /// The kernel of a network with `layers` layers.
    Kernel { samples: usize, layers: usize, width: usize },
}

/// The paper's networks by layers and width, and for software drivers a small one in place of the larger.
const MLP: (usize, usize) = (4, 100);
const MLP_H: (usize, usize) = (8, 1000);
const SMALL: (usize, usize) = (8, 250);

/// All cases, cheap ones first, so that shaders are compiled early.
pub fn all(quick: bool) -> Vec<Case> {
    let samples: &[usize] = if quick { &[250, 1000] } else { &[1000, 4000, 10_000] };
    let networks = if quick { [MLP, SMALL] } else { [MLP, MLP_H] };
    let products = networks.map(|(_, width)| samples.iter().map(move |&samples| Case::Product { samples, width }));
    let kernels =
        networks.map(|(layers, width)| samples.iter().map(move |&samples| Case::Kernel { samples, layers, width }));
    products.into_iter().flatten().chain(kernels.into_iter().flatten()).collect()
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Case::Product { samples, width } => write!(f, "product, n = {samples}, k = {width}"),
            Case::Kernel { samples, layers, width } => match (layers, width) {
                MLP => write!(f, "MLP, N = {samples}"),
                MLP_H => write!(f, "MLP-h, N = {samples}"),
                _ => write!(f, "{layers} layers of {width}, N = {samples}"),
            },
        }
    }
}

/// Seconds of a case.
#[derive(Clone, Copy)]
pub struct Timed {
    pub seconds: f64,
    /// Bytes to and from the device per run.
    pub bytes: [f64; 2],
}

pub struct Measured {
    pub case: Case,
    /// Required multiplications and additions.
    pub flops: f64,
    pub cpu: f64,
    /// An error concerns this case alone: the device lacks the memory.
    pub device: Result<Timed>,
}

impl Case {
    pub fn is_kernel(self) -> bool {
        matches!(self, Case::Kernel { .. })
    }

    /// # Errors
    /// The CPU's.
    pub fn measure(self, device: &Device) -> Result<Measured> {
        match self {
            Case::Product { samples, width } => self.product(device, samples, width),
            Case::Kernel { samples, layers, width } => self.kernel(device, samples, &mlp(layers, width, 1)?),
        }
    }

    fn product(self, device: &Device, samples: usize, width: usize) -> Result<Measured> {
        let numbers = numbers::<f32>(samples * width);
        let cpu = Cpu::<f32>::new();
        let x = cpu.upload(&numbers, &[samples, width]);
        let block = samples.div_ceil(rayon::current_num_threads());
        let blocks: Vec<_> =
            numbers.chunks(block * width).map(|part| cpu.upload(part, &[part.len() / width, width])).collect();
        let on_cpu = || -> Result<()> {
            blocks.par_iter().map(|part| cpu.matmul(part, false, &x, true)).collect::<Vec<_>>();
            Ok(())
        };
        let on_device = || -> Result<Timed> {
            let (needed, most) = ((4 * samples * samples) as f64, device.tile_config().array_bytes);
            if needed > most {
                return Err(Error::memory(format!("an array of {needed:.1e} bytes, where {most:.1e} are possible")));
            }
            let x = device.upload(&numbers, &[samples, width]);
            timed(device, || wait(device, &device.matmul(&x, false, &x, true)))
        };
        let flops = 2.0 * (samples * samples * width) as f64;
        Ok(Measured { case: self, flops, cpu: seconds(on_cpu)?.0, device: on_device() })
    }

    fn kernel(self, device: &Device, samples: usize, model: &Model) -> Result<Measured> {
        let width = model.input_shape()[0];
        let numbers = numbers::<f32>(samples * width);
        let x = Batch::new(&numbers, &[samples, width])?;
        let session = Session::new(model, Cpu::<f32>::new())?;
        let ntk = session.ntk().components(false);
        let flops = ntk.plan(samples)?.flops();
        let (cpu, _) = seconds(|| ntk.fill(&x, &mut Nowhere).map(drop))?;
        let on_device = || {
            let session = Session::new(model, device.clone())?;
            let ntk = session.ntk().components(false);
            timed(device, || ntk.fill(&x, &mut Nowhere).map(drop))
        };
        Ok(Measured { case: self, flops, cpu, device: on_device() })
    }
}

/// A sink that stores nothing.
struct Nowhere;

impl Sink<f32> for Nowhere {
    fn begin(&mut self, _: &Frame) -> Result<()> {
        Ok(())
    }
    fn put(&self, _: &RegionData<'_, f32>) -> Result<()> {
        Ok(())
    }
}

/// As [`seconds`], with the bytes to and from the device.
fn timed(device: &Device, work: impl Fn() -> Result<()>) -> Result<Timed> {
    let traffic = || device.as_gpu().map(Gpu::traffic).unwrap_or_default();
    let before = traffic();
    let (seconds, runs) = seconds(work)?;
    let after = traffic();
    let bytes = [after.bytes_up - before.bytes_up, after.bytes_down - before.bytes_down];
    Ok(Timed { seconds, bytes: bytes.map(|bytes| bytes as f64 / runs as f64) })
}

/// A first run that is shorter is the warm-up and is not counted.
const SHORT: f64 = 2.0;
/// Runs repeat until this many seconds and this many runs.
const ENOUGH: (f64, usize) = (1.0, 3);

/// The median time of a run, and how many runs there were.
///
/// # Errors
/// The work's.
fn seconds(work: impl Fn() -> Result<()>) -> Result<(f64, usize)> {
    let once = || -> Result<f64> {
        let start = Instant::now();
        work()?;
        Ok(start.elapsed().as_secs_f64())
    };
    let first = once()?;
    let mut times = if first < SHORT { Vec::new() } else { vec![first] };
    let mut runs = 1;
    // A long run is not repeated.
    while times.iter().sum::<f64>() < ENOUGH.0 || (times.len() < ENOUGH.1 && times[0] < SHORT) {
        times.push(once()?);
        runs += 1;
    }
    Ok((median(&mut times), runs))
}
