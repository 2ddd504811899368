//! Norms, and the slope of PRelu.

use super::activations::{mapped, scaled};
use super::arithmetic::{plus, product, size};
use super::shapes::permuted;
use super::sums::{mean_over, sum_over};
use crate::error::{Error, Result};
use crate::io::onnx::call::Call;
use crate::io::onnx::operand::Operand;
use crate::io::onnx::parameters::pytorch::TorchCall;
use crate::io::onnx::reader::Reader;
use crate::ops::{BatchNorm, Builtin, Gain, GroupNorm, LayerNorm, Prelu, Reshape, RmsNorm, Scale, Shift};
use crate::shape::numel;
use crate::tape::Parameter;
use crate::unary::{Relu, Sqrt, Unary};

const TRAINING: &str = "in training mode mean and variance are those of the batch, which mixes samples; export the \
                        network in evaluation mode (net.eval())";

fn eps(call: &Call<'_>) -> f64 {
    call.float("epsilon").unwrap_or(1e-5)
}

/// An op on `x` in the shape `shape`; the result has the shape of `x`.
fn kept(
    reader: &mut Reader<'_>,
    op: impl Into<Builtin>,
    x: &Operand,
    shape: &[usize],
    parameters: &[Parameter],
) -> Result<Operand> {
    let value = reader.value(x, shape)?;
    let value = reader.graph.apply(op, &[value], parameters)?;
    Ok(Operand::sample(value, x.shape.clone(), x.batch))
}

/// Weight and bias of a norm, inputs 1 and 2, in the shape `shape`, as far as the node has them.
fn affine(reader: &mut Reader<'_>, call: &Call<'_>, shape: &[usize]) -> Result<Vec<Parameter>> {
    let mut list = Vec::new();
    for (k, role) in [(1, "weight"), (2, "bias")] {
        let Some(x) = call.optional(k) else { continue };
        let parameter = reader.weight(x, role)?;
        list.push(if x.shape == shape {
            parameter
        } else if numel(&x.shape) == numel(shape) {
            reader.graph.derive(Reshape::new(shape), &[parameter])?
        } else {
            return Err(Error::shape(format!("its {role} of shape {:?} does not fit {shape:?}", x.shape)));
        });
    }
    Ok(list)
}

/// `[channels]` or `[channels, ...]` of one sample.
fn channelled(x: &Operand) -> Result<&[usize]> {
    match &x.shape[..] {
        [1, sample @ ..] if !sample.is_empty() => Ok(sample),
        _ => Err(Error::shape(format!("a value of shape {:?} (for a batch of one) has no channels", x.shape))),
    }
}

pub(super) fn batch(reader: &mut Reader<'_>, call: &Call<'_>) -> Result<Operand> {
    if call.flag("training_mode") || call.torch().is_some_and(|torch| trains(&torch)) {
        return Err(Error::unsupported(TRAINING));
    }
    if call.int("spatial") == Some(0) {
        return Err(Error::unsupported("statistics for each entry (spatial = 0)"));
    }
    // With five results, op sets before 14 mean the training mode.
    if call.opset < 14 && call.node.output.iter().skip(1).any(|name| !name.is_empty()) {
        return Err(Error::unsupported(TRAINING));
    }
    let x = call.input(0)?;
    let images = x.shape.first().copied().unwrap_or(0);
    // Channels first, and all images of a sample together.
    let turned = if images == 1 { x.clone() } else { channels_first(reader, x)? };
    let sample = if images == 1 { channelled(x)? } else { &turned.shape };
    let channels = [sample[0]];
    let shape = match sample {
        &[i] => vec![i],
        &[i, h, w] => vec![i, h, w],
        [i, rest @ ..] => vec![*i, numel(rest)],
        [] => unreachable!("a sample has channels"),
    };
    let op = if shape.len() == 3 { BatchNorm::new2d(eps(call)) } else { BatchNorm::new1d(eps(call)) };
    let mut parameters = affine(reader, call, &channels)?;
    for (k, role) in [(3, "running_mean"), (4, "running_var")] {
        parameters.push(reader.buffer(call.input(k)?, role)?);
    }
    let y = kept(reader, op, &turned, &shape, &parameters)?;
    if images == 1 { Ok(y) } else { images_first(reader, &y, x.batch) }
}

/// `[images, channels, ...]` of one sample as `[channels, images, ...]`.
fn channels_first(reader: &mut Reader<'_>, x: &Operand) -> Result<Operand> {
    if x.rank() < 2 || x.batch.is_some_and(|axis| axis != 0) {
        return Err(Error::unsupported(format!(
            "a value of shape {:?} (for a batch of one); samples along axis 0 and channels along axis 1 are needed",
            x.shape
        )));
    }
    let order: Vec<usize> = [1, 0].into_iter().chain(2..x.rank()).collect();
    permuted(reader, &Operand { batch: None, ..x.clone() }, &order)
}

/// The inverse of [`channels_first`].
fn images_first(reader: &mut Reader<'_>, x: &Operand, batch: Option<usize>) -> Result<Operand> {
    let order: Vec<usize> = [1, 0].into_iter().chain(2..x.rank()).collect();
    Ok(Operand { batch, ..permuted(reader, x, &order)? })
}

/// Whether a call of PyTorch's batch norm takes the statistics of the batch; its exporter writes an evaluation node.
fn trains(call: &TorchCall<'_>) -> bool {
    let legit = call.target.contains("native_batch_norm_legit") && !call.target.contains("no_training");
    legit || (call.target.starts_with("aten.batch_norm") && call.argument(5) == Some("True"))
}

/// The shape of a sample with the axes from the node's on, none of which may be the batch's, and how many they are.
fn from_axis(call: &Call<'_>) -> Result<(Vec<usize>, usize)> {
    let x = call.input(0)?;
    let axis = x.axis(call.int("axis").unwrap_or(-1))?;
    for normalised in axis..x.rank() {
        x.sample_axis(normalised)?;
    }
    Ok((x.sample_shape(), x.rank() - axis))
}

pub(super) fn layer(reader: &mut Reader<'_>, call: &Call<'_>) -> Result<Operand> {
    let (shape, axes) = from_axis(call)?;
    let affine = affine(reader, call, &shape[shape.len() - axes..])?;
    kept(reader, LayerNorm { eps: eps(call), axes }, call.input(0)?, &shape, &affine)
}

pub(super) fn rms(reader: &mut Reader<'_>, call: &Call<'_>) -> Result<Operand> {
    let (shape, axes) = from_axis(call)?;
    let (before, normalised) = shape.split_at(shape.len() - axes);
    let entries = numel(normalised);
    let shape = [before, &[entries]].concat();
    let affine = affine(reader, call, &[entries])?;
    kept(reader, RmsNorm { eps: eps(call) }, call.input(0)?, &shape, &affine)
}

/// Weight and bias are one for each channel from op set 21 on, and one for each group before.
pub(super) fn group(reader: &mut Reader<'_>, call: &Call<'_>) -> Result<Operand> {
    let x = call.input(0)?;
    let (images, sample) = in_images(x)?;
    let groups = call.int("num_groups").and_then(|groups| usize::try_from(groups).ok()).unwrap_or(0);
    let op = GroupNorm { groups: groups.saturating_mul(images), eps: eps(call) };
    if numel(&call.input(1)?.shape) == sample[0] {
        return normalised_images(reader, call, op, x);
    }
    let affine = affine(reader, call, &[groups, 1])?;
    let y = kept(reader, op, x, &channels_of(images, sample), &[])?;
    let rows = [images, groups, numel(sample) / groups.max(1)];
    let y = kept(reader, Gain, &y, &rows, &affine[..1])?;
    kept(reader, Shift, &y, &rows, &affine[1..])
}

/// Every channel on its own. Constants 1 and 0 for weight and bias, as exporters write them for other norms, are left out.
pub(super) fn instance(reader: &mut Reader<'_>, call: &Call<'_>) -> Result<Operand> {
    let x = call.input(0)?;
    let (images, sample) = in_images(x)?;
    let op = GroupNorm { groups: sample[0].saturating_mul(images), eps: eps(call) };
    let filled = |k: usize, with: f64| -> Result<bool> {
        Ok(call.input(k)?.array().is_some_and(|array| array.values.iter().all(|&x| x == with)))
    };
    if filled(1, 1.0)? && filled(2, 0.0)? {
        return kept(reader, op, x, &channels_of(images, sample), &[]);
    }
    normalised_images(reader, call, op, x)
}

/// A sample as images: how many, and the shape of one, `[channels, ...]`.
fn in_images(x: &Operand) -> Result<(usize, &[usize])> {
    match &x.shape[..] {
        [images, sample @ ..] if sample.len() > 1 && x.batch.is_none_or(|axis| axis == 0) => Ok((*images, sample)),
        _ => Err(Error::shape(format!("a value of shape {:?} (for a batch of one) has no channels", x.shape))),
    }
}

/// The shape of all images together, as if their channels were those of one.
fn channels_of(images: usize, sample: &[usize]) -> Vec<usize> {
    [&[images.saturating_mul(sample[0])], &sample[1..]].concat()
}

/// A norm of every image, then a weight and a bias by channel.
fn normalised_images(reader: &mut Reader<'_>, call: &Call<'_>, op: GroupNorm, x: &Operand) -> Result<Operand> {
    let (images, sample) = in_images(x)?;
    if images == 1 {
        let affine = affine(reader, call, &sample[..1])?;
        return kept(reader, op, x, sample, &affine);
    }
    let rows = [images, sample[0], numel(&sample[1..])];
    let affine = affine(reader, call, &[sample[0], 1])?;
    let mut y = kept(reader, op, x, &channels_of(images, sample), &[])?;
    if let [weight, bias] = affine[..] {
        y = kept(reader, Gain, &y, &rows, &[weight])?;
        y = kept(reader, Shift, &y, &rows, &[bias])?;
    }
    Ok(y)
}

/// x / |x| along an axis.
pub(super) fn lp(reader: &mut Reader<'_>, call: &Call<'_>) -> Result<Operand> {
    let x = call.input(0)?;
    let axes = [x.axis(call.int("axis").unwrap_or(-1))?];
    let norm = match call.int("p").unwrap_or(2) {
        1 => {
            let sizes = size(reader, x)?;
            sum_over(reader, &sizes, &axes, true)?
        }
        2 => {
            let squares = product(reader, x, x)?;
            let squares = sum_over(reader, &squares, &axes, true)?;
            mapped(reader, Unary::from(Sqrt), &squares)?
        }
        p => return Err(Error::unsupported(format!("the norm with p = {p}"))),
    };
    let below = super::activations::inverse(reader, &norm)?;
    product(reader, x, &below)
}

/// (x - mean) / deviation over axes; those of the format's default mix samples.
pub(super) fn mean_variance(reader: &mut Reader<'_>, call: &Call<'_>) -> Result<Operand> {
    let x = call.input(0)?;
    let axes = match call.axes(usize::MAX)? {
        Some(axes) => axes,
        None => [0, 2, 3].iter().map(|&axis| x.axis(axis)).collect::<Result<_>>()?,
    };
    let mean = mean_over(reader, x, &axes, true)?;
    let minus = scaled(reader, &mean, -1.0)?;
    let centred = plus(reader, x, &minus)?;
    let squares = product(reader, &centred, &centred)?;
    let variance = mean_over(reader, &squares, &axes, true)?;
    let root = mapped(reader, Unary::from(Sqrt), &variance)?;
    let below = super::activations::inverse(reader, &root)?;
    product(reader, &centred, &below)
}

/// A slope for each channel or for all, or of any shape that stretches to a sample.
pub(super) fn prelu(reader: &mut Reader<'_>, call: &Call<'_>) -> Result<Operand> {
    let (x, slope) = (call.input(0)?, call.input(1)?);
    let sample = x.sample_shape();
    // A one in the batch's place, or in front, says nothing.
    let mut shape = slope.shape.clone();
    while shape.len() > sample.len() && shape[0] == 1 {
        shape.remove(0);
    }
    let by_channel =
        shape.len() == sample.len() && shape.first() == sample.first() && shape.first() == Some(&numel(&shape));
    let weight = reader.weight(slope, "weight")?;
    if numel(&shape) == 1 || by_channel {
        let weight = match slope.shape.len() {
            1 => weight,
            _ => reader.graph.derive(Reshape::new([numel(&shape)]), &[weight])?,
        };
        return kept(reader, Prelu, x, &sample, &[weight]);
    }
    // max(x, 0) - a max(-x, 0)
    let weight = if shape == slope.shape { weight } else { reader.graph.derive(Reshape::new(shape), &[weight])? };
    let minus = reader.graph.derive(Scale { factor: -1.0 }, &[weight])?;
    let right = mapped(reader, Unary::from(Relu), x)?;
    let left = scaled(reader, x, -1.0)?;
    let left = mapped(reader, Unary::from(Relu), &left)?;
    let left = kept(reader, Gain, &left, &sample, &[minus])?;
    plus(reader, &right, &left)
}
