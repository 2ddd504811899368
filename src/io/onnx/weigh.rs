//! What a file would take in memory, told from its bytes before they are decoded: a message that is empty takes two bytes
//! in a file and hundreds when it is decoded.

use std::mem::size_of;

use super::proto::{
    AttributeProto, Dimension, Entry, FunctionProto, GraphProto, ModelProto, NodeProto, OperatorSetId, TensorProto,
    TensorShape, TensorType, TypeProto, ValueInfo,
};
use crate::error::{Error, Result};

/// How many times its own length a file may take, and how many bytes any file may.
const MOST_TIMES: usize = 32;
const MOST_BYTES: usize = 16 << 20;
/// The deepest nesting of messages, as the decoder has it.
const DEEPEST: usize = 100;

/// The messages of the format, as far as others are in them.
#[derive(Clone, Copy)]
enum Kind {
    Model,
    Graph,
    Node,
    Attribute,
    Tensor,
    Info,
    Type,
    TensorType,
    Shape,
    Function,
    /// One that has none in it, and takes so many bytes.
    Leaf(usize),
}

impl Kind {
    fn bytes(self) -> usize {
        match self {
            Kind::Model => size_of::<ModelProto>(),
            Kind::Graph => size_of::<GraphProto>(),
            Kind::Node => size_of::<NodeProto>(),
            Kind::Attribute => size_of::<AttributeProto>(),
            Kind::Tensor => size_of::<TensorProto>(),
            Kind::Info => size_of::<ValueInfo>(),
            Kind::Type => size_of::<TypeProto>(),
            Kind::TensorType => size_of::<TensorType>(),
            Kind::Shape => size_of::<TensorShape>(),
            Kind::Function => size_of::<FunctionProto>(),
            Kind::Leaf(bytes) => bytes,
        }
    }

    /// What field `field` holds, if that is a message or a list's entry of a size of its own.
    fn within(self, field: u64) -> Option<Kind> {
        let text = Kind::Leaf(size_of::<String>());
        let set = Kind::Leaf(size_of::<OperatorSetId>());
        Some(match (self, field) {
            (Kind::Model, 7) | (Kind::Attribute, 6) => Kind::Graph,
            (Kind::Model, 8) | (Kind::Function, 9) => set,
            (Kind::Model, 25) => Kind::Function,
            (Kind::Graph, 1) | (Kind::Function, 7) => Kind::Node,
            (Kind::Graph, 5) | (Kind::Attribute, 5) => Kind::Tensor,
            (Kind::Graph, 11 | 12) => Kind::Info,
            (Kind::Node, 1 | 2) | (Kind::Attribute, 9) | (Kind::Function, 4 | 5) => text,
            (Kind::Node, 5) | (Kind::Function, 11) => Kind::Attribute,
            (Kind::Tensor, 13) => Kind::Leaf(size_of::<Entry>()),
            (Kind::Info, 2) => Kind::Type,
            (Kind::Type, 1) => Kind::TensorType,
            (Kind::TensorType, 2) => Kind::Shape,
            (Kind::Shape, 1) => Kind::Leaf(size_of::<Dimension>()),
            _ => return None,
        })
    }
}

/// Refuses a file that would take far more memory than it has bytes.
///
/// # Errors
/// It would, or is no file of the form.
pub(super) fn check(bytes: &[u8]) -> Result<()> {
    let mut left = bytes.len().saturating_mul(MOST_TIMES).saturating_add(MOST_BYTES);
    weigh(bytes, Kind::Model, &mut left, 0).ok_or_else(|| {
        Error::format("no ONNX file: it is damaged, or made of so many empty parts that no memory would hold them")
    })
}

fn weigh(mut bytes: &[u8], kind: Kind, left: &mut usize, depth: usize) -> Option<()> {
    // Lists grow by doubling, so a list takes up to twice its entries.
    *left = left.checked_sub(2 * kind.bytes())?;
    if depth > DEEPEST {
        return None;
    }
    while !bytes.is_empty() {
        let tag = number(&mut bytes)?;
        match tag & 7 {
            0 => drop(number(&mut bytes)?),
            1 => bytes = bytes.get(8..)?,
            5 => bytes = bytes.get(4..)?,
            2 => {
                let length = usize::try_from(number(&mut bytes)?).ok()?;
                let (inside, rest) = bytes.split_at_checked(length)?;
                bytes = rest;
                if let Some(kind) = kind.within(tag >> 3) {
                    match kind {
                        Kind::Leaf(size) => *left = left.checked_sub(2 * size)?,
                        _ => weigh(inside, kind, left, depth + 1)?,
                    }
                }
            }
            _ => return None,
        }
    }
    Some(())
}

/// A number in the format's variable length.
fn number(bytes: &mut &[u8]) -> Option<u64> {
    let mut value = 0u64;
    for shift in (0..70).step_by(7) {
        let (&byte, rest) = bytes.split_first()?;
        *bytes = rest;
        value |= u64::from(byte & 127).checked_shl(shift).unwrap_or(0);
        if byte < 128 {
            return Some(value);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::check;

    #[test]
    fn empty_parts_weigh_what_they_take() {
        // A graph of so many nodes of which each has nothing in it.
        let graph = |nodes: usize| {
            let mut bytes = vec![0x3a];
            let mut length = 2 * nodes;
            while length >= 128 {
                bytes.push((length & 127) as u8 | 128);
                length >>= 7;
            }
            bytes.push(length as u8);
            bytes.extend([0x0a, 0x00].repeat(nodes));
            bytes
        };
        assert!(check(&graph(1000)).is_ok());
        assert!(check(&graph(1_000_000)).unwrap_err().is_format());
        assert!(check(&[0x3a, 0x05, 0x0a]).is_err());
        assert!(check(b"no network").is_err());
    }
}
