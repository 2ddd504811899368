//! Discrete Fourier transforms, which are fixed linear maps.

use std::f64::consts::TAU;

use super::arithmetic::product;
use super::maps::along;
use super::parts::taken;
use super::shapes::{permuted, reshaped};
use crate::error::{Error, Result};
use crate::io::onnx::array::{Array, Kind, bounded};
use crate::io::onnx::call::Call;
use crate::io::onnx::operand::Operand;
use crate::io::onnx::reader::Reader;

/// A transform of a line of numbers.
struct Transform {
    /// How many numbers come in, of which only the first `length` count, and which are followed by zeros up to there.
    from: usize,
    length: usize,
    /// How many frequencies come out.
    bins: usize,
    inverse: bool,
}

/// The transform along an axis. Real numbers have a last axis of size 1, complex ones of size 2.
pub(super) fn dft(reader: &mut Reader<'_>, call: &Call<'_>) -> Result<Operand> {
    let x = call.input(0)?;
    let parts = parts(x)?;
    let axis = match call.known_optional(2)?.map(Array::whole).as_deref() {
        Some(&[axis]) => axis,
        _ => call.int("axis").unwrap_or(if call.opset < 20 { 1 } else { -2 }),
    };
    let axis = x.axis(axis)?;
    if axis + 1 == x.rank() {
        return Err(Error::shape("DFT along the last axis, which holds the real and the imaginary part"));
    }
    let from = x.shape[axis];
    let length = match call.known_optional(1)?.and_then(Array::scalar) {
        Some(length) => positive(length, "dft_length")?,
        None => from,
    };
    let (inverse, onesided) = (call.flag("inverse"), call.flag("onesided"));
    if onesided && (inverse || parts == 2) {
        return Err(Error::unsupported("DFT: onesided = 1 is only supported for the transform of real numbers"));
    }
    let bins = if onesided { length / 2 + 1 } else { length };
    transformed(reader, x, axis, &Transform { from, length, bins, inverse })
}

/// Transforms of frames of a signal `[n, t, 1]`: `[n, frames, bins, 2]`.
pub(super) fn stft(reader: &mut Reader<'_>, call: &Call<'_>) -> Result<Operand> {
    let x = call.input(0)?;
    if x.rank() < 2 || (x.rank() == 3 && x.shape[2] != 1) || x.rank() > 3 {
        return Err(Error::unsupported(format!(
            "STFT of a signal of shape {:?} (for a batch of one): only real signals [n, t, 1] are supported",
            x.shape
        )));
    }
    let number =
        |k: usize, what: &str| call.known_optional(k)?.and_then(Array::scalar).map(|x| positive(x, what)).transpose();
    let step = number(1, "frame_step")?.ok_or_else(|| Error::format("STFT: the frame_step is missing"))?;
    let window = call.optional(2);
    let length = number(3, "frame_length")?.or(window.map(|window| window.shape.iter().product()));
    let length = length.ok_or_else(|| Error::format("STFT has neither a window nor a frame_length"))?;
    let signal = reshaped(reader, x, &x.shape[..2], x.batch)?;
    let samples = signal.shape[1];
    let frames = (samples + step).checked_sub(length).map_or(0, |rest| rest / step);
    bounded(&[frames, length])?;
    let places: Vec<usize> = (0..frames).flat_map(|frame| (0..length).map(move |k| frame * step + k)).collect();
    let framed = taken(reader, &signal, 1, &places)?;
    let framed = reshaped(reader, &framed, &[signal.shape[0], frames, length], signal.batch)?;
    let framed = match window {
        Some(window) => product(reader, &framed, window)?,
        None => framed,
    };
    let lines = reshaped(reader, &framed, &[signal.shape[0], frames, length, 1], signal.batch)?;
    let bins = if call.int("onesided").unwrap_or(1) != 0 { length / 2 + 1 } else { length };
    transformed(reader, &lines, 2, &Transform { from: length, length, bins, inverse: false })
}

fn positive(number: f64, what: &str) -> Result<usize> {
    if number >= 1.0 && number <= u32::MAX.into() {
        Ok(number as usize)
    } else {
        Err(Error::value(format!("{what} is {number}, but a positive number is needed")))
    }
}

/// 1 for real numbers, 2 for complex ones.
fn parts(x: &Operand) -> Result<usize> {
    match x.shape.last() {
        Some(&parts @ (1 | 2)) if x.rank() > 1 => Ok(parts),
        _ => Err(Error::shape(format!(
            "a Fourier transform needs a last axis of size 1 (real) or 2 (complex), not a value of shape {:?}",
            x.shape
        ))),
    }
}

/// Along `axis`, taken together with the last axis as one line.
fn transformed(reader: &mut Reader<'_>, x: &Operand, axis: usize, transform: &Transform) -> Result<Operand> {
    x.sample_axis(axis)?;
    let parts = parts(x)?;
    let last = x.rank() - 1;
    // Real and imaginary parts behind the axis.
    let mut order: Vec<usize> = (0..last).filter(|&other| other != axis).collect();
    order.extend([axis, last]);
    let turned = permuted(reader, x, &order)?;
    let lead = turned.shape[..last - 1].to_vec();
    let lines = reshaped(reader, &turned, &[&lead[..], &[transform.from * parts]].concat(), turned.batch)?;
    let y = along(reader, &lines, last - 1, transform.map(parts)?)?;
    let y = reshaped(reader, &y, &[&lead[..], &[transform.bins, 2]].concat(), turned.batch)?;
    let mut back: Vec<usize> = (0..last - 1).collect();
    back.insert(axis, last - 1);
    back.push(last);
    permuted(reader, &y, &back)
}

impl Transform {
    /// `[2 bins, parts from]`: sum over t of e^(-+ 2 pi i k t / length) `x[t]`.
    fn map(&self, parts: usize) -> Result<Array> {
        let &Transform { from, length, bins, inverse } = self;
        let shape = [2 * bins, parts * from];
        bounded(&shape)?;
        let mut map = Array::full(&shape, 0.0, Kind::Float)?;
        let (sign, scale) = if inverse { (1.0, 1.0 / length as f64) } else { (-1.0, 1.0) };
        for k in 0..bins {
            for t in 0..from.min(length) {
                let angle = TAU * ((k * t) % length) as f64 / length as f64;
                let (real, imaginary) = (scale * angle.cos(), scale * sign * angle.sin());
                let mut put = |row: usize, part: usize, value: f64| {
                    map.values[(2 * k + row) * shape[1] + parts * t + part] = value
                };
                put(0, 0, real);
                put(1, 0, imaginary);
                if parts == 2 {
                    put(0, 1, -imaginary);
                    put(1, 1, real);
                }
            }
        }
        Ok(map)
    }
}
