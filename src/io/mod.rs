//! Files: networks from ONNX, kernels and batches for numpy, parameters as safetensors, MNIST's idx files, pictures and
//! animations of kernels.
//!
//! Each part is behind the feature of its name. What is read is distrusted: a file that is truncated, hostile or of
//! another type ends in an error that names the file and what is wrong with it, without a panic and without memory being
//! reserved on the word of a header. What is written appears under its name when it is whole.

#[cfg(any(feature = "npy", feature = "safetensors", feature = "png"))]
mod atomic;
#[cfg(feature = "fixture")]
pub mod fixture;
#[cfg(feature = "idx")]
pub mod idx;
#[cfg(feature = "mmap")]
mod map;
#[cfg(feature = "npy")]
pub mod npy;
#[cfg(feature = "npz")]
pub mod npz;
#[cfg(feature = "onnx")]
pub mod onnx;
#[cfg(feature = "png")]
pub mod png;
#[cfg(feature = "safetensors")]
pub mod safetensors;

/// Writes `bytes` to a file at `path`, which appears when it is whole: what was there before stays until then.
///
/// # Errors
/// The file cannot be written. The message names it.
#[cfg(feature = "npy")]
pub fn write_whole(path: impl AsRef<std::path::Path>, bytes: &[u8]) -> crate::Result<()> {
    atomic::write(path.as_ref(), |out| Ok(std::io::Write::write_all(out, bytes)?))
}

/// The regular file at `path`, opened to be read, and its length in bytes.
#[cfg(any(feature = "npy", feature = "idx", feature = "onnx"))]
fn open(path: &std::path::Path) -> crate::Result<(std::fs::File, u64)> {
    // Asked before the file is opened, since to open a pipe that nobody writes to is to wait forever.
    if !std::fs::metadata(path)?.is_file() {
        return Err(crate::Error::io("this is no regular file"));
    }
    let file = std::fs::File::open(path)?;
    let length = file.metadata()?.len();
    Ok((file, length))
}
