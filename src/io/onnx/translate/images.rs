//! Values seen as images of one, two or three axes, and convolutions of many images as one of a plane.
//!
//! The engine's windows slide over the planes of one sample. Several images of a sample (a batch axis that holds other
//! axes too) are stacked along the height, with zeros between them, so that no window sees two of them. A third axis,
//! the depth, becomes more images: every position along it is an image, whose channels hold the planes that the window
//! sees there.

use std::ops::Range;

use super::pads::padded;
use super::parts::{cut, joined, taken};
use super::shapes::{permuted, reshaped, unsqueezed};
use super::windows::Slide;
use crate::error::{Error, Result};
use crate::io::onnx::operand::Operand;
use crate::io::onnx::reader::Reader;

/// A value `[images, channels, size...]` of one sample, of which no axis is the batch's own.
#[derive(Clone)]
pub(super) struct Images {
    pub x: Operand,
    /// Where the batch was.
    batch: Option<usize>,
}

impl Images {
    /// # Errors
    /// The value has no channels, or more than three axes after them, or its batch is not the first axis.
    pub fn new(x: &Operand) -> Result<Self> {
        if !(3..=5).contains(&x.rank()) {
            return Err(Error::unsupported(format!(
                "a value of shape {:?} (for a batch of one); [n, channels, l], [n, channels, h, w] or \
                 [n, channels, d, h, w] is needed",
                x.shape
            )));
        }
        if let Some(axis) = x.batch.filter(|&axis| axis != 0) {
            return Err(Error::unsupported(format!(
                "the samples are along axis {axis} of a value of shape {:?}; they must be along axis 0",
                x.shape
            )));
        }
        Ok(Images { x: Operand { batch: None, ..x.clone() }, batch: x.batch })
    }

    pub fn count(&self) -> usize {
        self.x.shape[0]
    }

    pub fn channels(&self) -> usize {
        self.x.shape[1]
    }

    /// Of one image.
    pub fn size(&self) -> &[usize] {
        &self.x.shape[2..]
    }

    /// The images of another value, with their batch where it was.
    pub fn finish(&self, x: Operand) -> Operand {
        Operand { batch: self.batch, ..x }
    }

    /// Lines `[images, channels, l]` as planes of height 1; others as they are.
    pub fn with_height(self, reader: &mut Reader<'_>) -> Result<Self> {
        match self.size().len() {
            1 => Ok(Images { x: unsqueezed(reader, &self.x, 2)?, ..self }),
            _ => Ok(self),
        }
    }
}

/// Planes `[planes, channels, h, w]` as one plane `[channels, planes * height, w]`: each has `above` zeros above it, and
/// as many below as give it the height `height`.
pub(super) fn stack(reader: &mut Reader<'_>, planes: &Operand, above: usize, height: usize) -> Result<Operand> {
    let &[count, channels, h, w] = &planes.shape[..] else { return Err(Error::shape("planes are needed")) };
    let below = height.checked_sub(above + h).ok_or_else(|| Error::shape("a plane is higher than its place"))?;
    let x = permuted(reader, planes, &[1, 0, 2, 3])?;
    let x = padded(reader, &x, &[(2, [above as i64, below as i64])], 0.0)?;
    reshaped(reader, &x, &[channels, count.saturating_mul(height), w], None)
}

/// The rows `rows` of every plane of a stack `[channels, planes * height, w]`, as `[planes, channels, h, w]`.
pub(super) fn unstack(reader: &mut Reader<'_>, stack: &Operand, height: usize, rows: Range<usize>) -> Result<Operand> {
    let &[channels, all, w] = &stack.shape[..] else { return Err(Error::shape("a plane is needed")) };
    let x = reshaped(reader, stack, &[channels, all / height.max(1), height, w], None)?;
    let x = cut(reader, &x, 2, rows)?;
    permuted(reader, &x, &[1, 0, 2, 3])
}

/// For every position of a window along the depth of volumes `[images, channels, d, h, w]`, the planes that it sees as
/// channels: `[images * positions, channels * window, h, w]`.
pub(super) fn by_depth(reader: &mut Reader<'_>, volumes: &Operand, slide: &Slide, positions: usize) -> Result<Operand> {
    let sides = slide.sides.map(|size| size as i64);
    let x = padded(reader, volumes, &[(2, sides)], 0.0)?;
    let places = |k: usize| (0..positions).map(move |t| t * slide.stride + k * slide.dilation).collect::<Vec<_>>();
    let taps = (0..slide.kernel).map(|k| taken(reader, &x, 2, &places(k))).collect::<Result<Vec<_>>>()?;
    by_tap(reader, &taps)
}

/// As [`by_depth`], for a transposed convolution that gives `positions` planes: what reaches each of them.
pub(super) fn by_depth_transposed(
    reader: &mut Reader<'_>,
    volumes: &Operand,
    slide: &Slide,
    positions: usize,
) -> Result<Operand> {
    let &[images, channels, depth, h, w] = &volumes.shape[..] else { return Err(Error::shape("volumes are needed")) };
    // Zeros between the planes, where the stride has gaps.
    let gaps = [(3, [0, slide.stride as i64 - 1])];
    let apart = unsqueezed(reader, volumes, 3)?;
    let apart = padded(reader, &apart, &gaps, 0.0)?;
    let long = depth.saturating_mul(slide.stride);
    let apart = reshaped(reader, &apart, &[images, channels, long, h, w], None)?;
    // Plane t of the result takes plane t + cropped - k dilation at place k of the window.
    let (cropped, reach) = (slide.sides[0], (slide.kernel - 1) * slide.dilation);
    let front = reach.saturating_sub(cropped);
    let back = (cropped + positions).saturating_sub(long);
    let x = padded(reader, &apart, &[(2, [front as i64, back as i64])], 0.0)?;
    let places = |k: usize| {
        let start = front + cropped - k * slide.dilation;
        (start..start + positions).collect::<Vec<_>>()
    };
    let taps = (0..slide.kernel).map(|k| taken(reader, &x, 2, &places(k))).collect::<Result<Vec<_>>>()?;
    by_tap(reader, &taps)
}

/// What every place of a window sees, `[images, channels, positions, h, w]` each, as
/// `[images * positions, channels * window, h, w]`.
fn by_tap(reader: &mut Reader<'_>, taps: &[Operand]) -> Result<Operand> {
    let &[images, channels, positions, h, w] = &taps[0].shape[..] else {
        return Err(Error::shape("volumes are needed"));
    };
    let apart = taps.iter().map(|tap| unsqueezed(reader, tap, 2)).collect::<Result<Vec<_>>>()?;
    let all = joined(reader, &apart.iter().collect::<Vec<_>>(), 2)?;
    let all = permuted(reader, &all, &[0, 3, 1, 2, 4, 5])?;
    reshaped(reader, &all, &[images.saturating_mul(positions), channels.saturating_mul(taps.len()), h, w], None)
}

/// Planes `[images * positions, channels, h, w]` as volumes `[images, channels, positions, h, w]`.
pub(super) fn volumes(reader: &mut Reader<'_>, planes: &Operand, positions: usize) -> Result<Operand> {
    let &[all, channels, h, w] = &planes.shape[..] else { return Err(Error::shape("planes are needed")) };
    let x = reshaped(reader, planes, &[all / positions.max(1), positions, channels, h, w], None)?;
    permuted(reader, &x, &[0, 2, 1, 3, 4])
}
