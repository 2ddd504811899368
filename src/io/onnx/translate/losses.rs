//! Losses of classes. The labels are an input of the network, or constants.

use super::activations::{inverse, scaled};
use super::arithmetic::product;
use super::masks::{negated, number, related, select};
use super::shapes::unsqueezed;
use super::sums::sum_over;
use crate::backend::Relation;
use crate::error::{Error, Result};
use crate::io::onnx::array::{Array, Kind};
use crate::io::onnx::call::Call;
use crate::io::onnx::operand::Operand;
use crate::io::onnx::reader::Reader;
use crate::ops::Softmax;

/// The negative logarithm of the label's softmax probability; the second result are all log probabilities.
pub(super) fn softmax_cross_entropy(reader: &mut Reader<'_>, call: &Call<'_>) -> Result<Vec<Operand>> {
    let scores = call.input(0)?;
    check_classes(scores)?;
    let op = Softmax::log_along(scores.sample_axis(1)? as i64);
    let logs = reader.apply(op, &[scores], scores.shape.clone(), scores.batch)?;
    let loss = loss(reader, call, &logs)?;
    Ok(vec![loss, logs])
}

/// The negative of the label's entry.
pub(super) fn negative_log_likelihood(reader: &mut Reader<'_>, call: &Call<'_>) -> Result<Operand> {
    let logs = call.input(0)?;
    check_classes(logs)?;
    loss(reader, call, logs)
}

fn check_classes(x: &Operand) -> Result<()> {
    match x.shape[..] {
        [_, classes, ..] if classes > 0 => Ok(()),
        _ => Err(Error::shape(format!("a value of shape {:?}; [n, classes, ...] is needed", x.shape))),
    }
}

/// - w_l x_l of log probabilities x and labels l, reduced as the node says. Labels equal to `ignore_index` have weight 0.
fn loss(reader: &mut Reader<'_>, call: &Call<'_>, logs: &Operand) -> Result<Operand> {
    let labels = call.input(1)?;
    let rows = [&logs.shape[..1], &logs.shape[2..]].concat();
    if labels.shape != rows {
        return Err(Error::shape(format!("labels of shape {:?} for scores of shape {:?}", labels.shape, logs.shape)));
    }
    let kept = match call.int("ignore_index") {
        Some(ignored) => {
            let ignored = related(reader, Relation::Equal, labels, &number(ignored as f64, Kind::Whole))?;
            Some(negated(reader, &ignored)?)
        }
        None => None,
    };
    let one_hot = one_hot(reader, labels, kept.as_ref(), logs)?;
    let chosen = product(reader, &one_hot, logs)?;
    let chosen = sum_over(reader, &chosen, &[1], false)?;
    let mut weights = kept;
    if let Some(by_class) = call.optional(2) {
        let own = class_weights(reader, by_class, &one_hot, logs)?;
        weights = Some(match weights {
            Some(kept) => product(reader, &kept, &own)?,
            None => own,
        });
    }
    let losses = scaled(reader, &chosen, -1.0)?;
    let losses = match &weights {
        Some(weights) => product(reader, &losses, weights)?,
        None => losses,
    };
    reduced(reader, call, &losses, weights.as_ref())
}

/// 1 where the class is the label's, along axis 1, else 0. A label that is not a class gives NaN, unless it is ignored.
fn one_hot(reader: &mut Reader<'_>, labels: &Operand, kept: Option<&Operand>, logs: &Operand) -> Result<Operand> {
    let labels = match kept {
        // Any class will do.
        Some(kept) => select(reader, kept, labels, &number(0.0, Kind::Whole))?,
        None => labels.clone(),
    };
    let labels = unsqueezed(reader, &labels, 1)?;
    let mut shape = vec![1; logs.rank()];
    shape[1] = logs.shape[1];
    let classes = (0..shape[1]).map(|class| class as f64).collect();
    let classes = Operand::constant(Array::new(&shape, classes, Kind::Whole));
    let one_hot = related(reader, Relation::Equal, &labels, &classes)?.of_kind(Kind::Float);
    let found = sum_over(reader, &one_hot, &[1], true)?;
    if found.array().is_some_and(|found| found.values.contains(&0.0)) {
        return Err(Error::value(format!("a label that is not one of the {} classes", shape[1])));
    }
    let certain = inverse(reader, &found)?;
    product(reader, &one_hot, &certain)
}

/// The weight of every label's class.
fn class_weights(reader: &mut Reader<'_>, by_class: &Operand, one_hot: &Operand, logs: &Operand) -> Result<Operand> {
    if by_class.shape != logs.shape[1..2] {
        return Err(Error::shape(format!("weights of shape {:?} for {} classes", by_class.shape, logs.shape[1])));
    }
    let mut by_class = by_class.clone();
    for axis in 1..logs.rank() - 1 {
        by_class = unsqueezed(reader, &by_class, axis)?;
    }
    let own = product(reader, one_hot, &by_class)?;
    sum_over(reader, &own, &[1], false)
}

/// The losses as they are, their sum, or their mean by weight.
fn reduced(reader: &mut Reader<'_>, call: &Call<'_>, losses: &Operand, weights: Option<&Operand>) -> Result<Operand> {
    let reduction = call.text("reduction").unwrap_or_else(|| "mean".into());
    if reduction == "none" {
        return Ok(losses.clone());
    }
    if losses.own_batch().is_some() && reader.batch != Some(1) {
        return Err(Error::unsupported(format!(
            "reduction='{reduction}' over the batch mixes samples; export with reduction='none', or with a batch of one"
        )));
    }
    let alone = |x: &Operand| Operand { batch: None, ..x.clone() };
    let axes: Vec<usize> = (0..losses.rank()).collect();
    let sum = sum_over(reader, &alone(losses), &axes, false)?;
    match (&reduction[..], weights) {
        ("sum", _) => Ok(sum),
        ("mean", None) => scaled(reader, &sum, 1.0 / losses.shape.iter().product::<usize>().max(1) as f64),
        ("mean", Some(weights)) => {
            let total = sum_over(reader, &alone(weights), &axes, false)?;
            let share = inverse(reader, &total)?;
            product(reader, &sum, &share)
        }
        _ => Err(Error::value(format!("reduction='{reduction}'; 'none', 'sum' or 'mean' is needed"))),
    }
}
