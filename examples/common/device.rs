//! What `--device` comes to: the CPU in either precision, or graphics cards, which compute in `f32`.

use tangent_kernels::backend::Gram;
use tangent_kernels::{Cpu, Device, Error, Result};

/// The device that the word means, in `f32`.
///
/// # Errors
/// There is none; this build has no devices.
pub fn single(word: &str) -> Result<Device> {
    word.parse().map_err(|error: Error| error.context(format!("--device {word}")))
}

/// The CPU in `f64`, which is all that computes in it.
///
/// # Errors
/// The word means another device.
pub fn double(word: &str) -> Result<Cpu<f64>> {
    match word {
        "cpu" => Ok(Cpu::new()),
        _ => Err(Error::unsupported(format!(
            "--device {word}: only the CPU computes in f64; --precision f32 is possible"
        ))),
    }
}

pub fn is_cpu<B: Gram>(arrays: &B) -> bool {
    arrays.name() == "cpu"
}

/// On what a program runs, in its first lines: the threads of the CPU, or the name of another device.
pub fn place(name: &str) -> String {
    match name {
        "cpu" => format!("{} threads", rayon::current_num_threads()),
        name => name.to_string(),
    }
}
