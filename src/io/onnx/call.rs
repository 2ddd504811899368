//! A node of the file with what goes in: attributes and inputs by their types.

use super::array::Array;
use super::operand::Operand;
use super::proto::{AttributeProto, NodeProto};
use crate::error::{Error, Result};

/// A node whose inputs are known.
pub(super) struct Call<'a> {
    pub node: &'a NodeProto,
    /// In the node's order; `None` where one is left out.
    pub inputs: Vec<Option<Operand>>,
    /// The version of the op set that the node is of.
    pub opset: i64,
}

impl Call<'_> {
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

    /// Input `k`, whose numbers must be known without any sample.
    pub fn known(&self, k: usize) -> Result<&Array> {
        self.input(k)?.array().ok_or_else(|| {
            Error::unsupported(format!(
                "input {k} ('{}') depends on the samples, where it must be fixed",
                self.node.input[k]
            ))
        })
    }

    pub fn known_optional(&self, k: usize) -> Result<Option<&Array>> {
        self.optional(k).map(|_| self.known(k)).transpose()
    }

    pub fn attribute(&self, key: &str) -> Option<&AttributeProto> {
        self.node.attribute.iter().find(|attribute| attribute.name == key)
    }

    pub fn int(&self, key: &str) -> Option<i64> {
        self.attribute(key)?.i
    }

    pub fn flag(&self, key: &str) -> bool {
        self.int(key).unwrap_or(0) != 0
    }

    pub fn float(&self, key: &str) -> Option<f64> {
        // The file holds the nearest f32 of a number such as 0.01; what was meant is the shortest one with that f32.
        self.attribute(key)?.f.map(|number| number.to_string().parse().unwrap_or(f64::from(number)))
    }

    pub fn ints(&self, key: &str) -> Option<&[i64]> {
        self.attribute(key).map(|attribute| &attribute.ints[..])
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

    /// A list of two sizes for a window, or of one for a line (which is a plane of height 1).
    pub fn pair(&self, key: &str, default: usize) -> Result<[usize; 2]> {
        let sizes = |list: &[i64]| -> Option<Vec<usize>> { list.iter().map(|&x| usize::try_from(x).ok()).collect() };
        match self.ints(key) {
            None => Ok([default, default]),
            Some(list) => match sizes(list).as_deref() {
                Some(&[line]) => Ok([default.min(1), line]),
                Some(&[h, w]) => Ok([h, w]),
                _ => {
                    Err(Error::unsupported(format!("{key} {list:?}: one or two sizes are needed, for lines or planes")))
                }
            },
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

/// The name of a node, or of what it gives if it has none.
pub(super) fn node_name(node: &NodeProto) -> &str {
    if node.name.is_empty() { node.output.first().map_or("", String::as_str) } else { &node.name }
}
