//! How a kernel was computed. It is stored next to the kernel, so that a number can be traced.

use super::plan::Plan;
use super::{Method, Ntk};
use crate::backend::Gram;
use crate::ops::Op;

/// Version, device, method, parameters and plan of a kernel.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Manifest {
    /// The version of this crate.
    pub version: &'static str,
    /// The device, or devices.
    pub device: String,
    /// The method.
    pub method: Method,
    /// The plan: strategies, tile and chunk sizes, rates. Only its sizes apply to methods other than structured.
    pub plan: Plan,
}

impl Manifest {
    pub(super) fn new<B: Gram, O: Op>(ntk: &Ntk<'_, B, O>, plan: Plan) -> Self {
        let device = ntk.session.arrays().name();
        Manifest { version: env!("CARGO_PKG_VERSION"), device, method: ntk.method, plan }
    }
}
