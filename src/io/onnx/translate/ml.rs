//! Ops of the domain ai.onnx.ml that scikit-learn's converter writes around a network.

use super::Translation::{self, Many, One, Refused};
use super::activations::{inverse, mapped, scaled};
use super::arithmetic::{difference, product, shifted, size};
use super::parts::{joined, taken};
use super::products::linear;
use super::shapes::reshaped;
use super::sums::{max_over, sum_over};
use crate::error::{Error, Result};
use crate::io::onnx::array::{Array, Kind};
use crate::io::onnx::call::Call;
use crate::io::onnx::operand::Operand;
use crate::io::onnx::reader::Reader;
use crate::ops::Softmax;
use crate::shape::numel;
use crate::unary::{Sigmoid, Sqrt, Unary};

const LABELS: &str = "it gives labels; choose another output of the network with `choose` (--output)";
const TREES: &str = "a model that is not a network has no tangent kernel";

/// Every op that is known, by its name.
pub(super) const OPS: &[(&str, Translation)] = &[
    ("ArrayFeatureExtractor", One(features)),
    ("FeatureVectorizer", One(together)),
    ("Imputer", One(imputed)),
    ("LabelEncoder", Refused(LABELS)),
    ("LinearClassifier", Many(classifier)),
    ("LinearRegressor", One(regressor)),
    ("Normalizer", One(normalised)),
    ("Scaler", One(rescaled)),
    ("TreeEnsembleClassifier", Refused(TREES)),
    ("TreeEnsembleRegressor", Refused(TREES)),
    ("ZipMap", One(zipped)),
];

/// The attribute as a constant of the network, `[features]` or one number.
fn fixed(call: &Call<'_>, key: &str, default: f64) -> Operand {
    let mut values = call.floats(key);
    if values.is_empty() {
        values.push(default);
    }
    Operand::constant(Array::new(&[values.len()], values, Kind::Float))
}

/// (x - offset) scale
fn rescaled(reader: &mut Reader<'_>, call: &Call<'_>) -> Result<Operand> {
    let x = float(call.input(0)?);
    let centred = difference(reader, &x, &fixed(call, "offset", 0.0))?;
    product(reader, &centred, &fixed(call, "scale", 1.0))
}

/// Whole numbers as floats.
fn float(x: &Operand) -> Operand {
    x.clone().of_kind(Kind::Float)
}

/// x divided by its norm along the last axis.
fn normalised(reader: &mut Reader<'_>, call: &Call<'_>) -> Result<Operand> {
    let x = float(call.input(0)?);
    let last = [x.rank().checked_sub(1).ok_or_else(|| Error::shape("a number has no features"))?];
    let norm = match call.text("norm").as_deref() {
        None | Some("MAX") => max_over(reader, &x, &last, true)?,
        Some("L1") => {
            let sizes = size(reader, &x)?;
            sum_over(reader, &sizes, &last, true)?
        }
        Some("L2") => {
            let squares = product(reader, &x, &x)?;
            let sum = sum_over(reader, &squares, &last, true)?;
            mapped(reader, Unary::from(Sqrt), &sum)?
        }
        Some(other) => return Err(Error::value(format!("norm='{other}'; 'MAX', 'L1' or 'L2' is needed"))),
    };
    let below = inverse(reader, &norm)?;
    product(reader, &x, &below)
}

/// Entries that are missing are replaced. Samples are finite, so NaN is never among them.
fn imputed(_reader: &mut Reader<'_>, call: &Call<'_>) -> Result<Operand> {
    match call.float("replaced_value_float") {
        Some(value) if value.is_nan() => Ok(call.input(0)?.clone()),
        _ => Err(Error::unsupported(
            "a value other than NaN is replaced; replace it in the samples and export the pipeline without the imputer",
        )),
    }
}

/// Entries along the last axis.
fn features(reader: &mut Reader<'_>, call: &Call<'_>) -> Result<Operand> {
    let x = call.input(0)?;
    if !call.input(1)?.is_constant() {
        return Err(Error::unsupported(LABELS));
    }
    let axis = x.rank().checked_sub(1).ok_or_else(|| Error::shape("a number has no features"))?;
    let places: Option<Vec<usize>> = call.known(1)?.whole().iter().map(|&k| usize::try_from(k).ok()).collect();
    let places = places.filter(|places| places.iter().all(|&place| place < x.shape[axis]));
    let places = places.ok_or_else(|| Error::value(format!("features beyond the {} of input 0", x.shape[axis])))?;
    taken(reader, x, axis, &places)
}

/// Inputs one after another along the last axis.
fn together(reader: &mut Reader<'_>, call: &Call<'_>) -> Result<Operand> {
    let all: Vec<Operand> = call.all()?.into_iter().map(float).collect();
    let last = all[0].rank().checked_sub(1).ok_or_else(|| Error::shape("a number has no features"))?;
    joined(reader, &all.iter().collect::<Vec<_>>(), last)
}

/// Names of classes are added to scores: the numbers stay.
fn zipped(_reader: &mut Reader<'_>, call: &Call<'_>) -> Result<Operand> {
    Ok(call.input(0)?.clone())
}

/// x C^T + b with the coefficients and intercepts of the node, its inputs 1 and 2.
fn by_coefficients(reader: &mut Reader<'_>, call: &Call<'_>, outputs: usize) -> Result<Operand> {
    let x = float(call.input(0)?);
    let features = x.shape.last().copied().unwrap_or(0);
    let (coefficients, intercepts) = (call.input(1)?, call.optional(2));
    if outputs == 0 || numel(&coefficients.shape) != outputs.saturating_mul(features) {
        return Err(Error::shape(format!(
            "{} coefficients for {outputs} outputs of {features} features",
            numel(&coefficients.shape)
        )));
    }
    let weight = reshaped(reader, coefficients, &[outputs, features], None)?;
    let weight = reader.weight(&weight, "coefficients")?;
    let bias = match intercepts {
        Some(intercepts) if intercepts.shape == [outputs] => Some(reader.weight(intercepts, "intercepts")?),
        Some(intercepts) => {
            return Err(Error::shape(format!("{} intercepts for {outputs} outputs", numel(&intercepts.shape))));
        }
        None => None,
    };
    linear(reader, &x, outputs, weight, bias)
}

fn regressor(reader: &mut Reader<'_>, call: &Call<'_>) -> Result<Operand> {
    let outputs = call.int("targets").and_then(|count| usize::try_from(count).ok()).unwrap_or(1);
    let y = by_coefficients(reader, call, outputs)?;
    transformed(reader, call, &y)
}

/// Labels, which are not supported, and scores `[n, classes]`.
fn classifier(reader: &mut Reader<'_>, call: &Call<'_>) -> Result<Vec<Operand>> {
    if call.node.output.first().is_some_and(|name| reader.is_taken(name)) {
        return Err(Error::unsupported(LABELS));
    }
    let classes = call.ints("classlabels_ints").map_or(0, <[i64]>::len).max(call.texts("classlabels_strings").len());
    let features = call.input(0)?.shape.last().copied().unwrap_or(0).max(1);
    let rows = numel(&call.input(1)?.shape) / features;
    let scores = by_coefficients(reader, call, rows)?;
    let scores = match (rows, classes) {
        (1, 2) => both_classes(reader, call, &scores)?,
        _ => transformed(reader, call, &scores)?,
    };
    // In the place of the labels, which nothing takes.
    Ok(vec![scores.clone(), scores])
}

/// The scores of two classes from that of the second: 1 - s and s.
fn both_classes(reader: &mut Reader<'_>, call: &Call<'_>, scores: &Operand) -> Result<Operand> {
    if call.text("post_transform").is_some_and(|name| !matches!(&name[..], "NONE" | "LOGISTIC")) {
        return Err(Error::unsupported(
            "of one score for two classes, only post_transform='NONE' and 'LOGISTIC' are read",
        ));
    }
    let second = transformed(reader, call, scores)?;
    let first = scaled(reader, &second, -1.0)?;
    let first = shifted(reader, &first, 1.0)?;
    joined(reader, &[&first, &second], second.rank() - 1)
}

fn transformed(reader: &mut Reader<'_>, call: &Call<'_>, y: &Operand) -> Result<Operand> {
    match call.text("post_transform").as_deref() {
        None | Some("NONE") => Ok(y.clone()),
        Some("LOGISTIC") => mapped(reader, Unary::from(Sigmoid), y),
        Some("SOFTMAX") => {
            let last = y.sample_axis(y.rank() - 1)?;
            reader.apply(Softmax::along(last as i64), &[y], y.shape.clone(), y.batch)
        }
        Some(other) => Err(Error::unsupported(format!(
            "post_transform='{other}' is not supported; 'NONE', 'LOGISTIC' and 'SOFTMAX' are"
        ))),
    }
}
