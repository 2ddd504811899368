//! From the options to a kernel computation on the chosen device, in the chosen precision.

use tangent_kernels::Gram;
use tangent_kernels::ops::Builtin;
use tangent_kernels::{Cpu, Device, Error, Ntk, Result};

use crate::arguments::{Computing, Precision};

/// A computation that is generic over the backend.
pub trait Task {
    type Output;

    fn run<B: Gram>(self, arrays: B) -> Result<Self::Output>;
}

/// Runs the task on the device and in the precision of the options.
///
/// # Errors
/// The device does not exist, or it does not compute in that precision. Also the errors of the task.
pub fn on_device<T: Task>(options: &Computing, task: T) -> Result<T::Output> {
    if let Some(threads) = options.threads {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build_global();
        pool.map_err(|error| Error::value(format!("--threads {threads}: the threads cannot be started: {error}")))?;
    }
    match (options.precision, options.device.as_str()) {
        (Precision::F32, "cpu") => task.run(Cpu::<f32>::new()),
        (Precision::F64, "cpu") => task.run(Cpu::<f64>::new()),
        (Precision::F32, name) => task.run(device(name)?),
        (Precision::F64, name) => Err(Error::unsupported(format!(
            "--device {name} cannot compute in f64, only the CPU can: use --precision f32 or --device cpu"
        ))),
    }
}

fn device(name: &str) -> Result<Device> {
    let hint = if cfg!(feature = "gpu") { "" } else { ": cargo install --path . --features cli,gpu" };
    name.parse().map_err(|error: Error| error.context(format!("--device {name}{hint}")))
}

/// Applies the options of the command line to a kernel computation.
pub fn configure<'s, B: Gram>(mut ntk: Ntk<'s, B, Builtin>, options: &Computing) -> Ntk<'s, B, Builtin> {
    ntk = ntk.outputs(options.mode).method(options.method);
    if !options.parameters.is_empty() {
        ntk = ntk.parameters(&options.parameters);
    }
    if let Some(bytes) = options.memory {
        ntk = ntk.memory_budget(bytes);
    }
    ntk
}
