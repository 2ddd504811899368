//! A node of the file with its attributes and inputs, by their types.

use super::array::Array;
use super::operand::Operand;
use super::parameters::pytorch::TorchCall;
use super::proto::{AttributeProto, GraphProto, NodeProto};
use crate::error::{Error, Result};

/// Kinds of attributes, as the format numbers them.
const FLOAT: i32 = 1;
const INT: i32 = 2;

/// A node whose inputs are known.
pub(super) struct Call<'a> {
    pub node: &'a NodeProto,
    /// In the node's order; `None` where one is left out.
    pub inputs: Vec<Option<Operand>>,
    /// The version of the op set that the node is of.
    pub opset: i64,
}

impl<'a> Call<'a> {
    /// Input `k`, which must be there.
    pub fn input(&self, k: usize) -> Result<&Operand> {
        self.optional(k).ok_or_else(|| Error::format(format!("input {k} is missing")))
    }

    pub fn optional(&self, k: usize) -> Option<&Operand> {
        self.inputs.get(k)?.as_ref()
    }

    /// All inputs, none of which may be left out.
    pub fn all(&self) -> Result<Vec<&Operand>> {
        let all: Result<Vec<_>> = (0..self.inputs.len()).map(|k| self.input(k)).collect();
        match all? {
            empty if empty.is_empty() => Err(Error::format("there are no inputs")),
            all => Ok(all),
        }
    }

    /// Input `k`, whose numbers must be known without any sample, and without any parameter.
    pub fn known(&self, k: usize) -> Result<&Array> {
        let (x, name) = (self.input(k)?, &self.node.input[k]);
        x.array().ok_or_else(|| {
            if x.is_constant() {
                return Error::unsupported(format!(
                    "input {k} ('{name}') is a parameter, and its derivative is not supported here; `fixed` (--fixed) makes \
                     it a constant"
                ));
            }
            Error::unsupported(format!("input {k} ('{name}') depends on the samples, where it must be fixed"))
        })
    }

    /// The call of PyTorch that the node comes from, if the file says it.
    pub fn torch(&self) -> Option<TorchCall<'_>> {
        TorchCall::read(self.node)
    }

    pub fn known_optional(&self, k: usize) -> Result<Option<&Array>> {
        self.optional(k).map(|_| self.known(k)).transpose()
    }

    pub fn attribute(&self, key: &str) -> Option<&AttributeProto> {
        self.node.attribute.iter().find(|attribute| attribute.name == key)
    }

    pub fn int(&self, key: &str) -> Option<i64> {
        // Writers of proto3 leave out a value of 0.
        let attribute = self.attribute(key)?;
        attribute.i.or((attribute.kind == INT).then_some(0))
    }

    pub fn flag(&self, key: &str) -> bool {
        self.int(key).unwrap_or(0) != 0
    }

    pub fn float(&self, key: &str) -> Option<f64> {
        let attribute = self.attribute(key)?;
        attribute.f.or((attribute.kind == FLOAT).then_some(0.0)).map(shortest)
    }

    pub fn ints(&self, key: &str) -> Option<&[i64]> {
        self.attribute(key).map(|attribute| &attribute.ints[..])
    }

    /// A list of numbers, empty if it is not there.
    pub fn floats(&self, key: &str) -> Vec<f64> {
        let list = self.attribute(key).map_or(&[][..], |attribute| &attribute.floats);
        list.iter().map(|&x| shortest(x)).collect()
    }

    /// A list of texts, empty if it is not there.
    pub fn texts(&self, key: &str) -> Vec<String> {
        let list = self.attribute(key).map_or(&[][..], |attribute| &attribute.strings);
        list.iter().map(|text| String::from_utf8_lossy(text).into_owned()).collect()
    }

    /// A graph inside the node.
    pub fn graph(&self, key: &str) -> Result<&'a GraphProto> {
        let attribute = self.node.attribute.iter().find(|attribute| attribute.name == key);
        let graph = attribute.and_then(|attribute| attribute.g.as_deref());
        graph.ok_or_else(|| Error::format(format!("the {key} is missing")))
    }

    pub fn text(&self, key: &str) -> Option<String> {
        Some(String::from_utf8_lossy(self.attribute(key)?.s.as_ref()?).into_owned())
    }

    /// A list of whole numbers that is an attribute in older op sets and input `k` in newer ones.
    pub fn list(&self, key: &str, k: usize) -> Result<Option<Vec<i64>>> {
        match self.ints(key) {
            Some(list) => Ok(Some(list.to_vec())),
            None => Ok(self.known_optional(k)?.map(Array::whole)),
        }
    }

    /// As [`list`](Call::list), of axes of input 0, sorted and each once.
    pub fn axes(&self, k: usize) -> Result<Option<Vec<usize>>> {
        let Some(list) = self.list("axes", k)? else { return Ok(None) };
        let x = self.input(0)?;
        let mut axes = list.iter().map(|&axis| x.axis(axis)).collect::<Result<Vec<_>>>()?;
        axes.sort_unstable();
        axes.dedup();
        Ok(Some(axes))
    }

    /// A list of `count` sizes, all of them `default` if it is not there.
    pub fn sizes(&self, key: &str, count: usize, default: usize) -> Result<Vec<usize>> {
        let list = self.ints(key).unwrap_or(&[]);
        let sizes: Option<Vec<usize>> = list.iter().map(|&size| usize::try_from(size).ok()).collect();
        match sizes {
            Some(sizes) if sizes.is_empty() => Ok(vec![default; count]),
            Some(sizes) if sizes.len() == count => Ok(sizes),
            _ => Err(Error::unsupported(format!("{key}={list:?}; {count} sizes are needed, none below zero"))),
        }
    }

    /// The name of the node, or of what it gives if it has none.
    pub fn name(&self) -> &str {
        node_name(self.node)
    }

    /// The node's name as the beginning of a parameter's: `/layers.0/linear1/MatMul` is `layers.0.linear1`.
    pub fn path(&self) -> String {
        let parts: Vec<&str> = self.name().split('/').filter(|part| !part.is_empty()).collect();
        match parts.split_last() {
            Some((_, path)) if !path.is_empty() => path.join("."),
            _ => parts.concat(),
        }
    }
}

/// The file holds the nearest f32 of a number such as 0.01; the number that was meant is the shortest with that f32.
fn shortest(number: f32) -> f64 {
    number.to_string().parse().unwrap_or(f64::from(number))
}

/// The name of a node, or of what it gives if it has none.
pub(super) fn node_name(node: &NodeProto) -> &str {
    if node.name.is_empty() { node.output.first().map_or("", String::as_str) } else { &node.name }
}
