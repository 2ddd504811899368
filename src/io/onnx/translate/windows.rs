//! Convolutions of lines, planes and volumes, and how windows lie in the format.

use super::images::{Images, by_depth, by_depth_transposed, stack, unstack, volumes};
use super::shapes::reshaped;
use crate::error::{Error, Result};
use crate::io::onnx::array::MOST_ENTRIES;
use crate::io::onnx::call::Call;
use crate::io::onnx::operand::Operand;
use crate::io::onnx::reader::Reader;
use crate::ops::{Builtin, Conv1d, Conv2d, ConvTranspose2d, Permute, Reshape};
use crate::tape::Parameter;

/// How a window slides along one axis.
#[derive(Clone, Debug)]
pub(super) struct Slide {
    pub kernel: usize,
    pub stride: usize,
    pub dilation: usize,
    /// Padding before and after; for a transposed convolution, what is cut off there.
    pub sides: [usize; 2],
}

impl Slide {
    /// Along an axis of size 1, where nothing slides.
    pub const STILL: Slide = Slide { kernel: 1, stride: 1, dilation: 1, sides: [0, 0] };

    /// How many entries the window covers.
    pub fn span(&self) -> usize {
        self.kernel.saturating_sub(1).saturating_mul(self.dilation).saturating_add(1)
    }

    /// How many positions it has on `size` entries.
    ///
    /// # Errors
    /// It covers more entries than there are.
    pub fn positions(&self, size: usize) -> Result<usize> {
        let all = self.sides.iter().try_fold(size, |sum, &side| sum.checked_add(side));
        let room = all.and_then(|all| all.checked_sub(self.span()));
        room.map(|room| room / self.stride + 1).ok_or_else(|| {
            Error::shape(format!("a window of {} entries on {size} with padding {:?}", self.span(), self.sides))
        })
    }
}

/// How the node's window slides over `size`, axis by axis, given its kernel.
pub(super) fn slides(call: &Call<'_>, kernel: &[usize], size: &[usize]) -> Result<Vec<Slide>> {
    let axes = size.len();
    let entries = kernel.iter().fold(1usize, |product, &size| product.saturating_mul(size));
    if entries > MOST_ENTRIES {
        return Err(Error::unsupported(format!("a kernel of {kernel:?}, more than {MOST_ENTRIES} entries")));
    }
    let (strides, dilations) = steps(call, axes)?;
    let automatic = call.text("auto_pad").unwrap_or_default();
    let pads = pads(call, axes)?;
    let mut slides = Vec::with_capacity(axes);
    for axis in 0..axes {
        let (stride, dilation) = (strides[axis].max(1), dilations[axis].max(1));
        let mut slide = Slide { kernel: kernel[axis], stride, dilation, sides: pads[axis] };
        slide.sides = match automatic.as_str() {
            "SAME_UPPER" | "SAME_LOWER" => {
                let covered = (size[axis].div_ceil(stride).max(1) - 1).saturating_mul(stride);
                halves(covered.saturating_add(slide.span()).saturating_sub(size[axis]), &automatic)
            }
            "" | "NOTSET" => slide.sides,
            "VALID" => [0, 0],
            other => return Err(Error::unsupported(format!("auto_pad='{other}' is not supported"))),
        };
        slides.push(slide);
    }
    Ok(slides)
}

/// The attributes `strides` and `dilations`.
fn steps(call: &Call<'_>, axes: usize) -> Result<(Vec<usize>, Vec<usize>)> {
    let (strides, dilations) = (call.sizes("strides", axes, 1)?, call.sizes("dilations", axes, 1)?);
    if strides.iter().chain(&dilations).any(|&step| step > MOST_ENTRIES) {
        return Err(Error::unsupported(format!("strides={strides:?} and dilations={dilations:?} are too large")));
    }
    Ok((strides, dilations))
}

/// A padding as its two sides.
fn halves(total: usize, automatic: &str) -> [usize; 2] {
    let half = total / 2;
    if automatic == "SAME_UPPER" { [half, total - half] } else { [total - half, half] }
}

/// The attribute `pads`, axis by axis.
fn pads(call: &Call<'_>, axes: usize) -> Result<Vec<[usize; 2]>> {
    let list = call.sizes("pads", 2 * axes, 0)?;
    if list.iter().any(|&side| side > MOST_ENTRIES) {
        return Err(Error::unsupported(format!("pads={list:?} are too large")));
    }
    Ok((0..axes).map(|axis| [list[axis], list[axes + axis]]).collect())
}

fn groups(call: &Call<'_>) -> Result<usize> {
    let groups = call.int("group").unwrap_or(1);
    usize::try_from(groups).map_err(|_| Error::value(format!("group={groups}")))
}

/// The node's bias, unless it is only what an exporter puts in the place of none.
fn bias(reader: &mut Reader<'_>, call: &Call<'_>) -> Result<Option<Parameter>> {
    let Some(b) = call.optional(2) else { return Ok(None) };
    match b.array() {
        Some(array) if array.values.iter().all(|&x| x == 0.0) => Ok(None),
        _ => reader.weight(b, "bias").map(Some),
    }
}

/// The value and the weight have as many axes.
fn check_rank(images: &Images, w: &Operand) -> Result<()> {
    if w.rank() != images.x.rank() || w.shape.contains(&0) {
        return Err(Error::shape(format!("a weight of shape {:?} on a value of shape {:?}", w.shape, images.x.shape)));
    }
    Ok(())
}

pub(super) fn conv(reader: &mut Reader<'_>, call: &Call<'_>) -> Result<Operand> {
    let (images, w) = (Images::new(call.input(0)?)?, call.input(1)?);
    check_rank(&images, w)?;
    let mut slides = slides(call, &w.shape[2..], images.size())?;
    let groups = groups(call)?;
    reader.note_folding(w);
    let mut weight = reader.weight(w, "weight")?;
    let bias = bias(reader, call)?;
    if let ([slide], 1) = (&slides[..], images.count()) {
        let op = Conv1d::new().stride(slide.stride).dilation(slide.dilation).padding_sides(slide.sides).groups(groups);
        let y = applied(reader, op, &images.x, &[weight].into_iter().chain(bias).collect::<Vec<_>>())?;
        return Ok(images.finish(y));
    }
    let (out, inner) = (w.shape[0], w.shape[1]);
    let mut planes = images.clone().with_height(reader)?.x;
    let mut depth = None;
    match slides.len() {
        1 => {
            slides.insert(0, Slide::STILL);
            weight = reader.graph.derive(Reshape::new([out, inner, 1, w.shape[2]]), &[weight])?;
        }
        3 => {
            let slide = slides.remove(0);
            let positions = slide.positions(images.size()[0])?;
            planes = by_depth(reader, &planes, &slide, positions)?;
            // Channels hold what the window sees along the depth.
            let seen = [out, inner * slide.kernel, w.shape[3], w.shape[4]];
            weight = reader.graph.derive(Reshape::new(seen), &[weight])?;
            depth = Some(positions);
        }
        _ => {}
    }
    let parameters: Vec<Parameter> = [weight].into_iter().chain(bias).collect();
    let mut y = convolved(reader, &planes, &slides, groups, &parameters)?;
    if w.rank() == 3 {
        let shape = [y.shape[0], y.shape[1], y.shape[3]];
        y = reshaped(reader, &y, &shape, None)?;
    }
    if let Some(positions) = depth {
        y = volumes(reader, &y, positions)?;
    }
    Ok(images.finish(y))
}

/// An op on the one image of `x`.
fn applied(reader: &mut Reader<'_>, op: impl Into<Builtin>, x: &Operand, parameters: &[Parameter]) -> Result<Operand> {
    let value = reader.value(x, &x.shape[1..])?;
    let value = reader.graph.apply(op, &[value], parameters)?;
    let shape = [&[1], reader.graph.shape(value)].concat();
    Ok(Operand::sample(value, shape, None))
}

/// A convolution of planes `[planes, channels, h, w]`.
fn convolved(
    reader: &mut Reader<'_>,
    planes: &Operand,
    slides: &[Slide],
    groups: usize,
    parameters: &[Parameter],
) -> Result<Operand> {
    let [down, right] = slides else { return Err(Error::shape("a plane has two axes")) };
    let op = Conv2d::new().stride([down.stride, right.stride]).dilation([down.dilation, right.dilation]).groups(groups);
    let count = planes.shape[0];
    if count == 1 {
        return applied(reader, op.padding_sides([down.sides, right.sides]), planes, parameters);
    }
    let rows = down.positions(planes.shape[2])?;
    // Every plane has a place whose height is a multiple of the stride, and the last one's windows fit as the others'.
    let height = (planes.shape[2] + down.sides[0] + down.sides[1]).div_ceil(down.stride);
    let more = down.span().saturating_sub(down.stride);
    let plane = stack(reader, planes, down.sides[0], height * down.stride)?;
    let plane = reshaped(reader, &plane, &[&[1], &plane.shape[..]].concat(), None)?;
    let y = applied(reader, op.padding_sides([[0, more], right.sides]), &plane, parameters)?;
    let y = reshaped(reader, &y, &y.shape[1..], None)?;
    unstack(reader, &y, height, 0..rows)
}

pub(super) fn conv_transpose(reader: &mut Reader<'_>, call: &Call<'_>) -> Result<Operand> {
    let (images, w) = (Images::new(call.input(0)?)?, call.input(1)?);
    check_rank(&images, w)?;
    let axes = images.size().len();
    let mut more = call.sizes("output_padding", axes, 0)?;
    let mut slides = slides_transposed(call, &w.shape[2..], images.size(), &more)?;
    let groups = groups(call)?;
    let mut weight = reader.weight(w, "weight")?;
    let bias = bias(reader, call)?;
    let (inner, out) = (w.shape[0], w.shape[1]);
    let mut planes = images.clone().with_height(reader)?.x;
    let mut depth = None;
    match axes {
        1 => {
            slides.insert(0, Slide::STILL);
            more.insert(0, 0);
            weight = reader.graph.derive(Reshape::new([inner, out, 1, w.shape[2]]), &[weight])?;
        }
        3 => {
            let (slide, more) = (slides.remove(0), more.remove(0));
            let positions = spread(&slide, images.size()[0], more)?;
            planes = by_depth_transposed(reader, &planes, &slide, positions)?;
            let seen = [inner * slide.kernel, out, w.shape[3], w.shape[4]];
            weight = reader.graph.derive(Permute::new([0, 2, 1, 3, 4]), &[weight])?;
            weight = reader.graph.derive(Reshape::new(seen), &[weight])?;
            depth = Some(positions);
        }
        _ => {}
    }
    let parameters: Vec<Parameter> = [weight].into_iter().chain(bias).collect();
    let mut y = convolved_transposed(reader, &planes, &slides, [more[0], more[1]], groups, &parameters)?;
    if axes == 1 {
        let shape = [y.shape[0], y.shape[1], y.shape[3]];
        y = reshaped(reader, &y, &shape, None)?;
    }
    if let Some(positions) = depth {
        y = volumes(reader, &y, positions)?;
    }
    Ok(images.finish(y))
}

/// A transposed convolution of planes `[planes, channels, h, w]`.
fn convolved_transposed(
    reader: &mut Reader<'_>,
    planes: &Operand,
    slides: &[Slide],
    more: [usize; 2],
    groups: usize,
    parameters: &[Parameter],
) -> Result<Operand> {
    let [down, right] = slides else { return Err(Error::shape("a plane has two axes")) };
    let op = ConvTranspose2d::new().stride([down.stride, right.stride]).dilation([down.dilation, right.dilation]);
    let op = op.groups(groups);
    if planes.shape[0] == 1 {
        let op = op.padding_sides([down.sides, right.sides]).output_padding(more);
        return applied(reader, op, planes, parameters);
    }
    let rows = spread(down, planes.shape[2], more[0])?;
    // Every plane has a place in which its result ends before that of the next one begins.
    let all = rows + down.sides[0] + down.sides[1];
    let height = all.div_ceil(down.stride).max(planes.shape[2]);
    let plane = stack(reader, planes, 0, height)?;
    let plane = reshaped(reader, &plane, &[&[1], &plane.shape[..]].concat(), None)?;
    let beyond = down.span().saturating_sub(down.stride);
    let missing = down.stride.saturating_sub(down.span());
    let op = op.padding_sides([[0, beyond], right.sides]).output_padding([missing, more[1]]);
    let y = applied(reader, op, &plane, parameters)?;
    let y = reshaped(reader, &y, &y.shape[1..], None)?;
    unstack(reader, &y, height * down.stride, down.sides[0]..down.sides[0] + rows)
}

/// How many entries a transposed convolution gives along an axis.
fn spread(slide: &Slide, size: usize, more: usize) -> Result<usize> {
    let all = all_of(slide, size).saturating_add(more);
    let cut = slide.sides[0].saturating_add(slide.sides[1]);
    all.checked_sub(cut).filter(|&left| left > 0).ok_or_else(|| {
        Error::shape(format!("padding {:?} cuts off all {all} entries of a transposed convolution", slide.sides))
    })
}

/// As [`spread`], with nothing cut off or added.
fn all_of(slide: &Slide, size: usize) -> usize {
    size.saturating_sub(1).saturating_mul(slide.stride).saturating_add(slide.span())
}

/// How a transposed convolution's window slides, with what it cuts off on each side.
fn slides_transposed(call: &Call<'_>, kernel: &[usize], size: &[usize], more: &[usize]) -> Result<Vec<Slide>> {
    let axes = size.len();
    let (strides, dilations) = steps(call, axes)?;
    let (automatic, pads) = (call.text("auto_pad").unwrap_or_default(), pads(call, axes)?);
    let shape = match (call.ints("output_shape"), automatic.as_str()) {
        // Some exporters give all axes of the result.
        (Some(list), _) if list.len() == axes + 2 => Some(sizes_of(&list[2..])?),
        (Some(_), _) => Some(call.sizes("output_shape", axes, 1)?),
        (None, "SAME_UPPER" | "SAME_LOWER") => {
            Some(size.iter().zip(&strides).map(|(size, stride)| size.saturating_mul((*stride).max(1))).collect())
        }
        _ => None,
    };
    let mut slides = Vec::with_capacity(axes);
    for axis in 0..axes {
        let (stride, dilation) = (strides[axis].max(1), dilations[axis].max(1));
        let mut slide = Slide { kernel: kernel[axis], stride, dilation, sides: pads[axis] };
        if let Some(shape) = &shape {
            let all = all_of(&slide, size[axis]).saturating_add(more[axis]);
            let Some(total) = all.checked_sub(shape[axis]) else {
                return Err(Error::unsupported(format!(
                    "an output of {shape:?} is larger than the {all} entries of axis {axis}; set output_padding instead"
                )));
            };
            slide.sides = halves(total, &automatic);
        }
        slides.push(slide);
    }
    Ok(slides)
}

fn sizes_of(list: &[i64]) -> Result<Vec<usize>> {
    list.iter().map(|&size| usize::try_from(size).map_err(|_| Error::value(format!("a size of {size}")))).collect()
}
