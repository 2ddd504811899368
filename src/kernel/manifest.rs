//! What a kernel was computed with: kept beside it, so that a number can be traced.

use super::plan::Plan;
use super::{Method, Ntk};
use crate::backend::Gram;
use crate::ops::Op;

/// Version, method, parameters and plan of a kernel.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Manifest {
    /// The version of this crate.
    pub version: &'static str,
    /// The method.
    pub method: Method,
    /// The plan: ways, tile and chunk sizes, rates. Methods other than structured share its sizes only.
    pub plan: Plan,
}

impl Manifest {
    pub(super) fn of<B: Gram, O: Op>(ntk: &Ntk<'_, B, O>, plan: Plan) -> Self {
        Manifest { version: env!("CARGO_PKG_VERSION"), method: ntk.method, plan }
    }

    /// The manifest as JSON, to be written beside the kernel.
    pub fn to_json(&self) -> String {
        let Manifest { version, method, plan } = self;
        let plan = plan.to_json().replace('\n', "\n  ");
        format!("{{\n  \"version\": \"{version}\",\n  \"method\": \"{method}\",\n  \"plan\": {plan}\n}}\n")
    }
}
