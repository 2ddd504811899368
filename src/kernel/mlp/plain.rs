//! Recognises plain multilayer perceptrons, to which the closed form applies.

use super::{DenseLayer, PlainMlp};
use crate::backend::Arrays;
use crate::error::{Error, Result};
use crate::model::Session;
use crate::ops::{Flatten, Linear, Op, Scale};
use crate::tape::{Node, Value};
use crate::unary::Unary;

fn not_plain<O: Op>(index: usize, node: &Node<O>, why: &str) -> Error {
    Error::unsupported(format!(
        "closed-form: the model is not a plain multilayer perceptron, because op {index} ({}) {why}; \
         use the method structured",
        node.op.name()
    ))
}

/// The session's model as a plain multilayer perceptron.
///
/// # Errors
/// Returns an error if the model is not a chain of linear layers on vectors with one activation each in between, scaled
/// before or after, or if a parameter is used twice.
pub(crate) fn plain_mlp<B: Arrays, O: Op>(session: &Session<'_, B, O>) -> Result<PlainMlp> {
    let model = session.model();
    if model.input_shapes().len() > 1 {
        return Err(Error::unsupported(
            "closed-form: a model with several inputs is not supported; use the method structured",
        ));
    }
    let mut layers: Vec<DenseLayer> = Vec::new();

    for (index, node) in model.graph().nodes_up_to(model.output()).iter().enumerate() {
        if node.inputs != [Value(index)] {
            return Err(not_plain(index, node, "does not take the result of the previous op"));
        }
        let op = node.op.leaf();
        if op.is::<Linear>() {
            if model.graph().shape(node.inputs[0]).len() != 1 {
                return Err(not_plain(index, node, "has inputs with positions"));
            }
            if let Some(layer) = layers.last_mut()
                && layer.function.is_none()
            {
                // A layer without an activation scales Z once.
                layer.after *= std::mem::replace(&mut layer.before, 1.0);
            }
            let parameter = |k: usize| model.graph().parameter_index(node.parameters[k]);
            let biased = node.parameters.len() > 1;
            let bias = if biased { parameter(1) } else { None };
            let Some(weight) = parameter(0).filter(|_| !biased || bias.is_some()) else {
                return Err(not_plain(index, node, "has a weight that is not a parameter itself"));
            };
            layers.push(DenseLayer { weight, bias, before: 1.0, function: None, after: 1.0 });
        } else if let Some(scale) = op.downcast_ref::<Scale>() {
            let layer =
                layers.last_mut().ok_or_else(|| not_plain(index, node, "comes before the first linear layer"))?;
            let factor = if layer.function.is_none() { &mut layer.before } else { &mut layer.after };
            *factor *= scale.factor;
        } else if let Some(&function) = op.downcast_ref::<Unary>() {
            let layer =
                layers.last_mut().ok_or_else(|| not_plain(index, node, "comes before the first linear layer"))?;
            if layer.function.replace(function).is_some() {
                return Err(not_plain(index, node, "is a second activation of one layer"));
            }
        } else if !(op.is::<Flatten>() && layers.is_empty()) {
            return Err(not_plain(index, node, "is not a linear layer, an activation or a scale"));
        }
    }
    let Some(last) = layers.last_mut() else {
        return Err(Error::unsupported("closed-form: the model has no linear layer; use the method structured"));
    };
    if last.function.is_some() {
        return Err(Error::unsupported(
            "closed-form: an activation follows the last linear layer; use the method structured",
        ));
    }
    last.after *= std::mem::replace(&mut last.before, 1.0);
    let mut used: Vec<usize> = layers.iter().flat_map(|layer| [Some(layer.weight), layer.bias]).flatten().collect();
    used.sort_unstable();
    if used.windows(2).any(|pair| pair[0] == pair[1]) {
        return Err(Error::unsupported("closed-form: a parameter is used by two layers; use the method structured"));
    }
    Ok(PlainMlp { layers })
}
