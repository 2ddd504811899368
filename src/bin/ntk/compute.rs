//! From the options to a kernel that is asked for, on whatever device in whatever precision.

use tangent_kernels::backend::Gram;
use tangent_kernels::ops::Builtin;
use tangent_kernels::{Cpu, Device, Error, Ntk, Result};

use crate::arguments::{Computing, Precision};

/// What is done on a device.
pub trait Task {
    type Done;

    fn on<B: Gram>(self, arrays: B) -> Result<Self::Done>;
}

/// Does the task on the device and in the precision that were asked for.
///
/// # Errors
/// There is no such device; it does not compute in that precision; the task's.
pub fn on_device<T: Task>(options: &Computing, task: T) -> Result<T::Done> {
    if let Some(threads) = options.threads {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build_global();
        pool.map_err(|error| Error::value(format!("--threads {threads}: {error}")))?;
    }
    match (options.precision, options.device.as_str()) {
        (Precision::F32, "cpu") => task.on(Cpu::<f32>::new()),
        (Precision::F64, "cpu") => task.on(Cpu::<f64>::new()),
        (Precision::F32, name) => task.on(device(name)?),
        (Precision::F64, name) => Err(Error::unsupported(format!(
            "--device {name}: only the CPU computes in f64; --precision f32 is possible"
        ))),
    }
}

fn device(name: &str) -> Result<Device> {
    let hint = if cfg!(feature = "gpu") { "" } else { ": cargo install --path . --features cli,gpu" };
    name.parse().map_err(|error: Error| error.context(format!("--device {name}{hint}")))
}

/// The kernel with the options of the command line.
pub fn asked<'s, B: Gram>(mut ntk: Ntk<'s, B, Builtin>, options: &Computing) -> Ntk<'s, B, Builtin> {
    ntk = ntk.outputs(options.mode).method(options.method);
    if !options.parameters.is_empty() {
        ntk = ntk.parameters(&options.parameters);
    }
    if let Some(bytes) = options.memory {
        ntk = ntk.memory_budget(bytes);
    }
    ntk
}
