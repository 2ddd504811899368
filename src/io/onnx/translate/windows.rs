//! Convolutions of lines and planes, and how windows lie in the format.

use super::shapes::reshaped;
use crate::error::{Error, Result};
use crate::io::onnx::array::MOST_ENTRIES;
use crate::io::onnx::call::Call;
use crate::io::onnx::operand::Operand;
use crate::io::onnx::reader::Reader;
use crate::ops::{Builtin, Conv1d, Conv2d, ConvTranspose2d, Reshape};
use crate::tape::Parameter;

/// How a window slides over planes, or over lines, which are planes of height 1.
pub(super) struct Slides {
    pub kernel: [usize; 2],
    pub stride: [usize; 2],
    pub dilation: [usize; 2],
    /// \[\[top, bottom\], \[left, right\]\]
    pub sides: [[usize; 2]; 2],
}

/// The shape of one sample of what a window slides over, \[channels, length\] or \[channels, h, w\], and whether it is a
/// line.
pub(super) fn slid_over(x: &Operand) -> Result<(Vec<usize>, bool)> {
    match x.shape[..] {
        [1, i, l] => Ok((vec![i, l], true)),
        [1, i, h, w] => Ok((vec![i, h, w], false)),
        _ => Err(Error::unsupported(format!(
            "a value of shape {:?} (for a batch of one), where [n, channels, l] or [n, channels, h, w] is needed",
            x.shape
        ))),
    }
}

/// How the node's window slides over `size`, given its kernel.
pub(super) fn slides(call: &Call<'_>, kernel: [usize; 2], size: [usize; 2]) -> Result<Slides> {
    if kernel[0].saturating_mul(kernel[1]) > MOST_ENTRIES {
        return Err(Error::unsupported(format!("a kernel of {kernel:?}, more than {MOST_ENTRIES} entries")));
    }
    let (stride, dilation) = (call.pair("strides", 1)?, call.pair("dilations", 1)?);
    let [stride, dilation] = [stride, dilation].map(|pair| pair.map(|size| size.max(1)));
    let automatic = call.text("auto_pad").unwrap_or_default();
    let sides = match automatic.as_str() {
        "SAME_UPPER" | "SAME_LOWER" => [0, 1].map(|axis| {
            let span = (kernel[axis].max(1) - 1).saturating_mul(dilation[axis]).saturating_add(1);
            let covered = (size[axis].div_ceil(stride[axis]).max(1) - 1).saturating_mul(stride[axis]);
            let total = covered.saturating_add(span).saturating_sub(size[axis]);
            let half = total / 2;
            if automatic == "SAME_UPPER" { [half, total - half] } else { [total - half, half] }
        }),
        "" | "NOTSET" => pads(call)?,
        "VALID" => [[0, 0]; 2],
        other => return Err(Error::unsupported(format!("auto_pad '{other}'"))),
    };
    Ok(Slides { kernel, stride, dilation, sides })
}

fn pads(call: &Call<'_>) -> Result<[[usize; 2]; 2]> {
    let list = call.ints("pads").unwrap_or(&[]);
    let sizes: Option<Vec<usize>> = list.iter().map(|&x| usize::try_from(x).ok()).collect();
    match sizes.as_deref() {
        Some([]) => Ok([[0, 0]; 2]),
        Some(&[before, after]) => Ok([[0, 0], [before, after]]),
        Some(&[top, left, bottom, right]) => Ok([[top, bottom], [left, right]]),
        _ => Err(Error::unsupported(format!("pads {list:?}: two or four sizes are needed, none below zero"))),
    }
}

/// The node's bias, unless it is only what an exporter puts in the place of none.
fn bias(reader: &mut Reader<'_>, call: &Call<'_>) -> Result<Option<Parameter>> {
    let Some(b) = call.optional(2) else { return Ok(None) };
    match (b.source(), b.array()) {
        (None, Some(array)) if array.values.iter().all(|&x| x == 0.0) => Ok(None),
        (None, Some(_)) => reader.buffer(b, call, "bias").map(Some),
        _ => reader.parameter(b, call, "bias").map(Some),
    }
}

pub(super) fn conv(reader: &mut Reader<'_>, call: &Call<'_>) -> Result<Operand> {
    let (x, w) = (call.input(0)?, call.input(1)?);
    let (sample, line) = slid_over(x)?;
    let groups = call.int("group").unwrap_or(1);
    let groups = usize::try_from(groups).map_err(|_| Error::value(format!("{groups} groups")))?;
    let op: Builtin = match (line, &w.shape[..]) {
        (true, &[_, _, k]) => {
            let Slides { stride, dilation, sides, .. } = slides(call, [1, k], [1, sample[1]])?;
            let conv = Conv1d::new().stride(stride[1]).dilation(dilation[1]);
            conv.padding_sides(sides[1]).groups(groups).into()
        }
        (false, &[_, _, kh, kw]) => {
            let Slides { stride, dilation, sides, .. } = slides(call, [kh, kw], [sample[1], sample[2]])?;
            Conv2d::new().stride(stride).dilation(dilation).padding_sides(sides).groups(groups).into()
        }
        _ => return Err(Error::shape(format!("a weight of shape {:?} on a value of shape {:?}", w.shape, x.shape))),
    };
    reader.note_folding(w);
    let weight = reader.parameter(w, call, "weight")?;
    let parameters: Vec<Parameter> = std::iter::once(weight).chain(bias(reader, call)?).collect();
    let value = reader.value(x, &sample)?;
    let value = reader.graph.apply(op, &[value], &parameters)?;
    let shape = [&[1], reader.graph.shape(value)].concat();
    Ok(Operand::sample(value, shape, x.batch))
}

pub(super) fn conv_transpose(reader: &mut Reader<'_>, call: &Call<'_>) -> Result<Operand> {
    let (x, w) = (call.input(0)?, call.input(1)?);
    let (sample, line) = slid_over(x)?;
    let groups = call.int("group").unwrap_or(1);
    let groups = usize::try_from(groups).map_err(|_| Error::value(format!("{groups} groups")))?;
    let (plane, kernel) = match (line, &w.shape[..]) {
        (true, &[i, o, k]) => (vec![sample[0], 1, sample[1]], [i, o, 1, k]),
        (false, &[i, o, kh, kw]) => (sample, [i, o, kh, kw]),
        _ => return Err(Error::shape(format!("a weight of shape {:?} on a value of shape {:?}", w.shape, x.shape))),
    };
    let [size, window] = [[plane[1], plane[2]], [kernel[2], kernel[3]]];
    let [stride, dilation] = [call.pair("strides", 1)?, call.pair("dilations", 1)?].map(|p| p.map(|s| s.max(1)));
    let more = call.pair("output_padding", 0)?;
    let sides = cut_off(call, size, window, stride, dilation, more)?;
    let op = ConvTranspose2d::new().stride(stride).dilation(dilation).groups(groups);
    let op = op.padding_sides(sides).output_padding(more);
    let mut weight = reader.parameter(w, call, "weight")?;
    if line {
        weight = reader.graph.derive(Reshape::new(kernel), &[weight])?;
    }
    let parameters: Vec<Parameter> = std::iter::once(weight).chain(bias(reader, call)?).collect();
    let value = reader.value(x, &plane)?;
    let value = reader.graph.apply(op, &[value], &parameters)?;
    let result = [&[1], reader.graph.shape(value)].concat();
    let y = Operand::sample(value, result.clone(), x.batch);
    match line {
        true => reshaped(reader, &y, &[1, result[1], result[3]], x.batch),
        false => Ok(y),
    }
}

/// What a transposed convolution cuts off on each side.
fn cut_off(
    call: &Call<'_>,
    size: [usize; 2],
    kernel: [usize; 2],
    stride: [usize; 2],
    dilation: [usize; 2],
    more: [usize; 2],
) -> Result<[[usize; 2]; 2]> {
    let automatic = call.text("auto_pad").unwrap_or_default();
    let wanted = match (call.ints("output_shape"), automatic.as_str()) {
        (Some(_), _) => call.pair("output_shape", 1)?,
        (None, "SAME_UPPER" | "SAME_LOWER") => [size[0].saturating_mul(stride[0]), size[1].saturating_mul(stride[1])],
        _ => return pads(call),
    };
    let mut sides = [[0; 2]; 2];
    for axis in 0..2 {
        let span = kernel[axis].saturating_sub(1).saturating_mul(dilation[axis]).saturating_add(1);
        let all = size[axis].saturating_sub(1).saturating_mul(stride[axis]).saturating_add(span);
        let total = all.saturating_add(more[axis]).checked_sub(wanted[axis]).ok_or_else(|| {
            Error::unsupported(format!("an output of {wanted:?} is larger than what the convolution gives"))
        })?;
        let half = total / 2;
        sides[axis] = if automatic == "SAME_UPPER" { [half, total - half] } else { [total - half, half] };
    }
    Ok(sides)
}
