//! Is a model a plain multilayer perceptron, so that the closed form applies?

use super::{Layer, Plain};
use crate::backend::Arrays;
use crate::error::{Error, Result};
use crate::model::Session;
use crate::ops::{Flatten, Linear, Op, Scale};
use crate::tape::{Node, Value};
use crate::unary::Unary;

/// The recursion's view of the session's model.
///
/// # Errors
/// The model is no chain of linear layers on vectors with one function each in between, scaled before or after; or a
/// parameter is used twice.
pub(crate) fn plain<B: Arrays, O: Op>(session: &Session<'_, B, O>) -> Result<Plain> {
    let model = session.model();
    if model.input_shapes().len() > 1 {
        return Err(Error::unsupported("closed-form: the model has several inputs; use structured"));
    }
    let mut layers: Vec<Layer> = Vec::new();
    let refused = |index: usize, node: &Node<O>, why: &str| {
        Error::unsupported(format!(
            "closed-form: the model is no plain multilayer perceptron: op {index} ({}) {why}; use structured",
            node.op.name()
        ))
    };
    for (place, node) in model.graph().nodes_up_to(model.output()).iter().enumerate() {
        if node.inputs != [Value(place)] {
            return Err(refused(place, node, "does not take the result of the op before it"));
        }
        let op = node.op.leaf();
        if op.is::<Linear>() {
            if model.graph().shape(node.inputs[0]).len() != 1 {
                return Err(refused(place, node, "has positions"));
            }
            if let Some(layer) = layers.last_mut()
                && layer.function.is_none()
            {
                // Z is scaled once, before or after no function at all.
                layer.after *= std::mem::replace(&mut layer.before, 1.0);
            }
            let index = |k: usize| model.graph().parameter_index(node.parameters[k]);
            let (weight, biased) = (index(0), node.parameters.len() > 1);
            let bias = if biased { index(1) } else { None };
            let Some(weight) = weight.filter(|_| !biased || bias.is_some()) else {
                return Err(refused(place, node, "has a weight that is no parameter of its own"));
            };
            layers.push(Layer { weight, bias, before: 1.0, function: None, after: 1.0 });
        } else if let Some(scale) = op.downcast_ref::<Scale>() {
            let layer = layers.last_mut().ok_or_else(|| refused(place, node, "stands before the first layer"))?;
            let factor = if layer.function.is_none() { &mut layer.before } else { &mut layer.after };
            *factor *= scale.factor;
        } else if let Some(&function) = op.downcast_ref::<Unary>() {
            let layer = layers.last_mut().ok_or_else(|| refused(place, node, "stands before the first layer"))?;
            if layer.function.replace(function).is_some() {
                return Err(refused(place, node, "is a second function on one layer"));
            }
        } else if !(op.is::<Flatten>() && layers.is_empty()) {
            return Err(refused(place, node, "is neither a layer, a function of one number, nor a scale"));
        }
    }
    let Some(last) = layers.last_mut() else {
        return Err(Error::unsupported("closed-form: the model has no linear layer; use structured"));
    };
    if last.function.is_some() {
        return Err(Error::unsupported("closed-form: a function follows the last linear layer; use structured"));
    }
    last.after *= std::mem::replace(&mut last.before, 1.0);
    let mut used: Vec<usize> = layers.iter().flat_map(|layer| [Some(layer.weight), layer.bias]).flatten().collect();
    used.sort_unstable();
    if used.windows(2).any(|pair| pair[0] == pair[1]) {
        return Err(Error::unsupported("closed-form: a parameter is used by two layers; use structured"));
    }
    Ok(Plain { layers })
}
