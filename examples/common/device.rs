//! The values of `--device`: the CPU in either precision, or GPUs, which compute in `f32`.

use tangent_kernels::Gram;
use tangent_kernels::{Cpu, Device, Error, Result};

/// The device called `word`, in `f32`.
///
/// # Errors
/// The device does not exist, or this build has no devices.
pub fn single(word: &str) -> Result<Device> {
    word.parse().map_err(|error: Error| error.context(format!("--device {word}")))
}

/// The CPU in `f64`, the only device with this precision.
///
/// # Errors
/// `word` is another device.
pub fn double(word: &str) -> Result<Cpu<f64>> {
    match word {
        "cpu" => Ok(Cpu::new()),
        _ => Err(Error::unsupported(format!("--device {word}: only the CPU computes in f64; use --precision f32"))),
    }
}

pub fn is_cpu<B: Gram>(arrays: &B) -> bool {
    arrays.name() == "cpu"
}

/// The device of a program, for its first lines: the threads of the CPU, or the name of another device.
pub fn place(name: &str) -> String {
    match name {
        "cpu" => format!("{} threads", rayon::current_num_threads()),
        name => name.to_string(),
    }
}
