//! A check of a file's bytes before they are decoded, for the memory that they would take: an empty message takes two bytes
//! in a file and hundreds when it is decoded.

use std::mem::size_of;

use super::proto::{
    AttributeProto, Dimension, Entry, FunctionProto, GraphProto, ModelProto, NodeProto, OperatorSetId, SparseTensor,
    TensorProto, TensorShape, TensorType, TypeProto, ValueInfo,
};
use crate::error::{Error, Result};

/// A file may take this number of times its own length, and this number of bytes more.
const MOST_TIMES: usize = 32;
const MOST_BYTES: usize = 16 << 20;
/// The deepest nesting of messages, as the decoder has it.
const DEEPEST: usize = 100;

/// The messages of the format that contain others.
#[derive(Clone, Copy)]
enum Kind {
    Model,
    Graph,
    Node,
    Attribute,
    Tensor,
    Sparse,
    Info,
    Type,
    TensorType,
    Shape,
    Function,
    /// A message or text without others in it, of this number of bytes in memory.
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
            Kind::Sparse => size_of::<SparseTensor>(),
            Kind::Info => size_of::<ValueInfo>(),
            Kind::Type => size_of::<TypeProto>(),
            Kind::TensorType => size_of::<TensorType>(),
            Kind::Shape => size_of::<TensorShape>(),
            Kind::Function => size_of::<FunctionProto>(),
            Kind::Leaf(bytes) => bytes,
        }
    }

    /// The content of field `field`, if it is a message, or an entry of a list.
    fn within(self, field: u64) -> Option<Kind> {
        let text = Kind::Leaf(size_of::<String>());
        let set = Kind::Leaf(size_of::<OperatorSetId>());
        Some(match (self, field) {
            (Kind::Model, 7) | (Kind::Attribute, 6) => Kind::Graph,
            (Kind::Model, 8) | (Kind::Function, 9) => set,
            (Kind::Model, 25) => Kind::Function,
            (Kind::Graph, 1) | (Kind::Function, 7) => Kind::Node,
            (Kind::Graph, 5) | (Kind::Attribute, 5) | (Kind::Sparse, 1) => Kind::Tensor,
            (Kind::Graph, 11..=13) => Kind::Info,
            (Kind::Graph, 15) => Kind::Sparse,
            (Kind::Node, 1 | 2) | (Kind::Attribute, 9) | (Kind::Function, 4 | 5) => text,
            (Kind::Node, 5) | (Kind::Function, 11) => Kind::Attribute,
            (Kind::Tensor, 13) | (Kind::Model, 14) | (Kind::Graph, 16) | (Kind::Node, 9) | (Kind::Info, 4) => {
                Kind::Leaf(size_of::<Entry>())
            }
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
/// It would, or it is not a file of this format.
pub(super) fn check(bytes: &[u8]) -> Result<()> {
    let mut left = bytes.len().saturating_mul(MOST_TIMES).saturating_add(MOST_BYTES);
    count(bytes, Kind::Model, &mut left, 0)
        .ok_or_else(|| Error::format("it is not an ONNX file, or it is damaged: its bytes are not the messages of one"))
}

fn count(mut bytes: &[u8], kind: Kind, left: &mut usize, depth: usize) -> Option<()> {
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
                        _ => count(inside, kind, left, depth + 1)?,
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
    fn empty_parts_count_as_much_as_they_take() {
        // A graph with this many empty nodes.
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
