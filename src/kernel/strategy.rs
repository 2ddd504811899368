//! The exact strategies to contract a parameter's part of a kernel.

use std::fmt;
use std::str::FromStr;

use crate::error::{Error, Result};

/// How a parameter's part of the kernel is contracted, for samples n and m. All strategies are exact. The
/// [`Plan`](super::Plan) takes the cheapest that the parameter's uses allow.
///
/// Notation: t positions, i input features, o output features; `a[n,t]` the input of the op and `b[n,t]` the cotangent
/// of its result.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Strategy {
    /// The last layer. Its cotangents are unit vectors, so the part is `a[n] . a[m]` if c = c', and 0 otherwise. Its
    /// bias needs no product.
    ReadOut,
    /// One position: the Hadamard product of two Grams, `(a[n] . a[m]) (b[n] . b[m])`.
    Hadamard,
    /// The per-sample gradients, sum over t of b a, are materialised and multiplied.
    Materialise,
    /// sum over t, u of `(a[n,t] . a[m,u]) (b[n,t] . b[m,u])`. No gradient is formed. With several outputs, `b[m]` is
    /// contracted first and `b[n]` second.
    PositionPairs,
    /// The materialised gradients of one sample, contracted with a and b of the other.
    Mixed,
    /// Embeddings: cotangents are summed by row of the table, and multiplied if both samples have the row.
    Join,
}

impl Strategy {
    /// All strategies.
    pub const ALL: [Strategy; 6] = [
        Strategy::ReadOut,
        Strategy::Hadamard,
        Strategy::Materialise,
        Strategy::PositionPairs,
        Strategy::Mixed,
        Strategy::Join,
    ];

    /// The strategy's name: `read-out`, `hadamard`, `materialise`, `position-pairs`, `mixed` or `join`.
    pub fn name(self) -> &'static str {
        match self {
            Strategy::ReadOut => "read-out",
            Strategy::Hadamard => "hadamard",
            Strategy::Materialise => "materialise",
            Strategy::PositionPairs => "position-pairs",
            Strategy::Mixed => "mixed",
            Strategy::Join => "join",
        }
    }
}

impl fmt::Display for Strategy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Strategy {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self> {
        Strategy::ALL.into_iter().find(|strategy| strategy.name() == name).ok_or_else(|| {
            let names: Vec<&str> = Strategy::ALL.iter().map(|strategy| strategy.name()).collect();
            Error::name(format!("unknown strategy '{name}'; use one of {}", names.join(", ")))
        })
    }
}
