//! Running a kernel on arrays.

use std::sync::Arc;

use super::context::{Run, buffer};
use super::kernels::{self, Kernel};
use super::memory::{Buffer, Purpose};
use super::tensor::Allocation;
use super::{Gpu, Tensor};
use crate::error::{Error, Result};
use crate::shape::numel;

/// The number of entries per workgroup of 256 invocations, as in each.wgsl.
const ENTRIES: usize = 1024;

/// The cost of reading and writing one entry, in operations.
pub(super) const TOUCH: f64 = 8.0;

/// The number of workgroups for this number of entries.
pub(super) fn groups(entries: usize) -> usize {
    entries.div_ceil(ENTRIES)
}

/// A size as a uniform parameter.
pub(super) fn param(size: usize) -> u32 {
    // Arrays have fewer than 2^30 entries, since a binding has fewer than 2^32 bytes.
    u32::try_from(size).unwrap_or(u32::MAX)
}

/// A kernel with its arguments.
pub(super) struct Launch<'a> {
    pub kernel: &'a Kernel,
    pub inputs: &'a [&'a Allocation],
    /// The shape of the result.
    pub shape: &'a [usize],
    pub params: &'a [u32],
    pub groups: usize,
    /// The approximate number of operations of a workgroup.
    pub work: f64,
}

impl Gpu {
    /// Runs a kernel and returns the array that it writes.
    pub(super) fn launch(&self, launch: Launch<'_>) -> Tensor {
        let allocation = self.empty(numel(launch.shape)).and_then(|output| {
            self.launch_to(&launch, &output)?;
            Ok(output)
        });
        Tensor { shape: launch.shape.to_vec(), allocation }
    }

    /// Runs a kernel that writes to `output`.
    pub(super) fn launch_to(&self, launch: &Launch<'_>, output: &Buffer) -> Result<()> {
        let inputs = launch.inputs.iter().map(|allocation| buffer(allocation)).collect::<Result<Vec<_>>>()?;
        if launch.params.len() > kernels::KERNEL_PARAMS {
            let shape = launch.shape;
            return Err(Error::unsupported(format!(
                "{} on a GPU: the shape {shape:?} has too many axes, use the CPU for this model",
                launch.kernel.entry
            )));
        }
        self.0.run(&Run {
            kernel: launch.kernel,
            inputs: &inputs,
            output,
            params: launch.params,
            groups: launch.groups,
            work: launch.work,
        });
        Ok(())
    }

    /// A buffer for this number of entries, with any contents.
    pub(super) fn empty(&self, entries: usize) -> Allocation {
        self.0.fault.check()?;
        Ok(Arc::new(self.0.pool.take(Purpose::Array, 4 * entries as u64)?))
    }
}
