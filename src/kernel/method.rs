//! The methods that compute a kernel, by name.

use std::fmt;
use std::str::FromStr;

use crate::error::{Error, Result};

/// How a kernel is computed. All are exact; they differ in time and memory.
///
/// The names of Engel et al. (section 3 and tables 1 to 4) correspond to ours as follows. *explicit* is
/// [`ClosedForm`](Method::ClosedForm) for plain MLPs and [`Structured`](Method::Structured) for every network.
/// *autograd* is [`Autograd`](Method::Autograd), *layerwise* [`Layerwise`](Method::Layerwise), *vmap*
/// [`LayerwiseBatched`](Method::LayerwiseBatched), and *full Jacobian* [`FullJacobian`](Method::FullJacobian).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Method {
    /// From the factors that one reverse sweep per output gives for every parameter. A Jacobian is formed only if that
    /// is cheaper. The fastest method; it supports any network.
    #[default]
    Structured,
    /// The recursion for multilayer perceptrons, without the tape ([`mlp`](super::mlp)).
    ClosedForm,
    /// The whole per-sample Jacobian by batched reverse mode, then J J^T.
    FullJacobian,
    /// One reverse sweep per sample, for all parameters at once.
    Autograd,
    /// As [`Autograd`](Method::Autograd), but parameter by parameter: only one parameter's Jacobian is in memory.
    Layerwise,
    /// As [`FullJacobian`](Method::FullJacobian), but parameter by parameter.
    LayerwiseBatched,
    /// The Jacobian column by column by forward mode, one run per entry of every parameter. It shares no derivative
    /// rule with the other methods.
    ForwardMode,
}

impl Method {
    /// All methods.
    pub const ALL: [Method; 7] = [
        Method::Structured,
        Method::ClosedForm,
        Method::FullJacobian,
        Method::Autograd,
        Method::Layerwise,
        Method::LayerwiseBatched,
        Method::ForwardMode,
    ];

    /// The method's name: `structured`, `closed-form`, `full-jacobian`, `autograd`, `layerwise`, `layerwise-batched` or
    /// `forward-mode`.
    pub fn name(self) -> &'static str {
        match self {
            Method::Structured => "structured",
            Method::ClosedForm => "closed-form",
            Method::FullJacobian => "full-jacobian",
            Method::Autograd => "autograd",
            Method::Layerwise => "layerwise",
            Method::LayerwiseBatched => "layerwise-batched",
            Method::ForwardMode => "forward-mode",
        }
    }
}

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Method {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self> {
        Method::ALL.into_iter().find(|method| method.name() == name).ok_or_else(|| {
            let names: Vec<&str> = Method::ALL.iter().map(|method| method.name()).collect();
            Error::name(format!("unknown method '{name}'; use one of {}", names.join(", ")))
        })
    }
}
