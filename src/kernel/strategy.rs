//! The exact ways to contract a parameter's part of a kernel.

use std::fmt;
use std::str::FromStr;

use crate::error::{Error, Result};

/// How a parameter's part of the kernel is contracted, for samples n and m. All ways are exact; the [`Plan`](super::Plan)
/// takes the cheapest that the parameter's uses allow.
///
/// With t positions, i features in and o out, a\[n,t\] what came in and b\[n,t\] the cotangent of what went out:
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Strategy {
    /// The last layer: its cotangents are unit vectors, so (a\[n\] . a\[m\]) stands where c = c', and nothing is multiplied
    /// for a bias.
    ReadOut,
    /// One position: (a\[n\] . a\[m\]) (b\[n\] . b\[m\]).
    Hadamard,
    /// The per-sample gradients sum over t of b a, multiplied out, then their product.
    Materialise,
    /// sum over t, u of (a\[n,t\] . a\[m,u\]) (b\[n,t\] . b\[m,u\]): no gradient is formed; with several outputs b\[m\] is
    /// contracted first, b\[n\] second.
    PositionPairs,
    /// The gradients of one side, multiplied out, against a and b of the other.
    Mixed,
    /// Embeddings: cotangents summed by row of the table, multiplied where both samples have the row.
    Join,
}

impl Strategy {
    /// All ways.
    pub const ALL: [Strategy; 6] = [
        Strategy::ReadOut,
        Strategy::Hadamard,
        Strategy::Materialise,
        Strategy::PositionPairs,
        Strategy::Mixed,
        Strategy::Join,
    ];

    /// The way's name: `read-out`, `hadamard`, `materialise`, `position-pairs`, `mixed` or `join`.
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
            Error::name(format!("there is no way '{name}'; there are {}", names.join(", ")))
        })
    }
}
