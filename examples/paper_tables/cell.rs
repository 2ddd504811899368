//! One cell: a kernel computed again and again, timed, with its peak of memory, in a process of its own.

use std::hint::black_box;
use std::time::Instant;

use faer::traits::RealField;
use serde_json::{Value, json};
use tangent_kernels::Gram;
use tangent_kernels::ops::Builtin;
use tangent_kernels::{Batch, Error, Kernel, Ntk, Outputs, Result, Session};

use crate::device::{is_cpu, place};
use crate::machine::{self, median};
use crate::memory;
use crate::network;
use crate::options::Cell;
use crate::resident::{self, Peak};
use crate::ruler::{self, Ruler};

/// The result of a cell.
pub struct Measured {
    pub cell: Cell,
    /// The median.
    pub seconds: f64,
    pub repetitions: usize,
    /// The peak in bytes beyond the memory before the first kernel.
    pub peak_bytes: Option<f64>,
    /// Multiplications and additions for pairs of samples, for the computed half of K, as the structured method counts them.
    /// All methods use this count, so that cells of one model are comparable.
    pub gram_flops: f64,
    /// The same in the products of forward and reverse.
    pub other_flops: f64,
    /// The machine's or the device's own rate; `None` if it was not measured.
    pub ruler: Option<Ruler>,
    /// `cpu`, or the device's name.
    pub device: String,
    pub trace: f64,
    pub frobenius_norm: f64,
}

/// A first kernel that takes longer is counted; a shorter one is the warm-up.
const SHORT: f64 = 1.0;
/// Repetitions until this many seconds and this many kernels, but none starts after `TOO_LONG`.
const ENOUGH_SECONDS: f64 = 2.0;
const ENOUGH_TIMES: usize = 5;
const TOO_LONG: f64 = 10.0;
const MOST_TIMES: usize = 100;
/// The same for a quick run.
const QUICK: (f64, usize) = (1.0, 3);
pub const TOO_LONG_QUICK: f64 = 5.0;

pub fn measure<B: Gram<Number: RealField>>(cell: Cell, arrays: B, quick: bool) -> Result<Measured> {
    let model = cell.network.model(cell.outputs)?;
    let bytes = memory::check::<B::Number>(&model, &cell, is_cpu(&arrays))?;
    let session = Session::new(&model, arrays.clone())?;
    let size: usize = model.input_shape().iter().product();
    let numbers = network::samples::<B::Number>(cell.samples * size);
    let batch = |count: usize| Batch::new(&numbers[..count * size], &[&[count], model.input_shape()].concat());
    let ntk = session.ntk().method(cell.method).outputs(Outputs::Full).components(false);
    refuse_early(&ntk, &batch(1)?)?;
    let plan = session.ntk().components(false).plan(cell.samples)?;

    let rate = || if quick { Ok(None) } else { product_rate(&arrays).map(Some) };
    let before = rate()?;
    resident::have_at_hand(bytes as usize);
    let peak = Peak::start();
    let (mut times, kernel) = repeat(&ntk, &batch(cell.samples)?, quick)?;
    let peak_bytes = peak.bytes();
    let after = rate()?;
    Ok(Measured {
        cell,
        repetitions: times.len(),
        seconds: median(&mut times),
        peak_bytes,
        gram_flops: plan.gram_flops(),
        other_flops: plan.forward_flops + plan.reverse_flops,
        ruler: before.into_iter().chain(after).max_by(|one, two| one.gflops.total_cmp(&two.gflops)),
        device: arrays.name(),
        trace: kernel.total().trace(),
        frobenius_norm: kernel.total().frobenius_norm(),
    })
}

/// The rate of a matrix product on all threads, or on the device.
fn product_rate<B: Gram<Number: RealField>>(arrays: &B) -> Result<Ruler> {
    if is_cpu(arrays) {
        Ok(Ruler { gflops: machine::product_rate::<B::Number>(), side: machine::PRODUCT_SIDE })
    } else {
        ruler::product_rate(arrays)
    }
}

/// An impossible cell is refused at once, on one sample. The check runs on a thread of its own, which ends with its pooled
/// arrays, so that they do not count for the peak.
///
/// # Errors
/// The library's.
fn refuse_early<B: Gram>(ntk: &Ntk<'_, B, Builtin>, x: &Batch<'_, B::Number>) -> Result<()> {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build();
    let pool = pool.map_err(|error| Error::io(error.to_string()))?;
    ntk.clone().pool(&pool).compute(x).map(|_| ())
}

/// The seconds of every repetition, and the last kernel. K is allocated inside, after the one before is freed.
fn repeat<B: Gram>(
    ntk: &Ntk<'_, B, Builtin>,
    x: &Batch<'_, B::Number>,
    quick: bool,
) -> Result<(Vec<f64>, Kernel<B::Number>)> {
    let timed = || -> Result<(f64, Kernel<B::Number>)> {
        let start = Instant::now();
        let kernel = black_box(ntk.compute(x)?);
        Ok((start.elapsed().as_secs_f64(), kernel))
    };
    let (first, mut kernel) = timed()?;
    let mut times = if first < SHORT { Vec::new() } else { vec![first] };
    while !enough(&times, quick) {
        drop(kernel);
        let (seconds, next) = timed()?;
        times.push(seconds);
        kernel = next;
    }
    Ok((times, kernel))
}

fn enough(times: &[f64], quick: bool) -> bool {
    let spent: f64 = times.iter().sum();
    let ((seconds, count), too_long) =
        if quick { (QUICK, TOO_LONG_QUICK) } else { ((ENOUGH_SECONDS, ENOUGH_TIMES), TOO_LONG) };
    (spent >= seconds && times.len() >= count) || spent >= too_long || times.len() == MOST_TIMES
}

impl Measured {
    fn matmul_gflops(&self) -> Option<f64> {
        self.ruler.as_ref().map(|ruler| ruler.gflops)
    }

    /// The rate of the required products, relative to the machine's. Values above 1 are possible: the machine's rate is a
    /// reference, not a bound.
    fn efficiency(&self) -> Option<f64> {
        Some((self.gram_flops + self.other_flops) / self.seconds / (self.matmul_gflops()? * 1e9))
    }

    pub fn json(&self) -> Value {
        json!({
            "model": self.cell.network.name(),
            "samples": self.cell.samples,
            "outputs": self.cell.outputs,
            "method": self.cell.method.name(),
            "precision": self.cell.precision.name(),
            "device": self.device,
            "threads": rayon::current_num_threads(),
            "seconds": self.seconds,
            "repetitions": self.repetitions,
            "peak_bytes": self.peak_bytes.map(|bytes| bytes as u64),
            "gram_flops": self.gram_flops,
            "other_flops": self.other_flops,
            "matmul_gflops": self.matmul_gflops(),
            "matmul_side": self.ruler.as_ref().map(|ruler| ruler.side),
            "efficiency": self.efficiency(),
            "trace": self.trace,
            "frobenius_norm": self.frobenius_norm,
        })
    }

    pub fn print(&self) {
        let Cell { network, samples, outputs, method, precision } = self.cell;
        let place = place(&self.device);
        println!("{}, {samples} samples, {outputs} outputs, {method}, {}, {place}", network.title(), precision.name());
        println!("  {:.6} s, median of {}", self.seconds, self.repetitions);
        if let Some(bytes) = self.peak_bytes {
            println!("  {:.1} MB at the peak, beyond model and samples", bytes / 1e6);
        }
        let (gram, other) = (self.gram_flops / 1e9, self.other_flops / 1e9);
        println!("  {gram:.3} GFLOP for pairs of samples, {other:.3} in forward and reverse");
        if let (Some(Ruler { gflops, side }), Some(efficiency)) = (&self.ruler, self.efficiency()) {
            println!("  {efficiency:.2} of its own {gflops:.1} GFLOP/s (matrix product, {side} cubed)");
        }
        println!("  trace {:e}, |K|_F {:e}", self.trace, self.frobenius_norm);
    }
}
