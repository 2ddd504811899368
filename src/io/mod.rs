//! Files: networks from ONNX, kernels and batches for numpy, parameters as safetensors, MNIST's idx files, pictures and
//! animations of kernels.
//!
//! Each format has a feature of the same name. Input files are untrusted. A file that is truncated, hostile or of another
//! type gives an error that names the file and the fault. It causes no panic, and no header can make a reader reserve
//! more memory than the file has data for. Output files appear under their name only when they are complete.

#[cfg(any(feature = "npy", feature = "safetensors", feature = "png"))]
mod atomic;
#[cfg(feature = "fixture")]
pub mod fixture;
#[cfg(any(feature = "npy", feature = "onnx"))]
mod half;
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

/// Writes `bytes` to a file at `path`. The file is replaced only when the new one is complete.
///
/// # Errors
/// The file cannot be written. The message names it.
#[cfg(feature = "npy")]
pub fn write_whole(path: impl AsRef<std::path::Path>, bytes: &[u8]) -> crate::Result<()> {
    atomic::write(path.as_ref(), |out| Ok(std::io::Write::write_all(out, bytes)?))
}

/// Opens the regular file at `path` for reading. Returns the file and its length in bytes.
#[cfg(any(feature = "npy", feature = "idx", feature = "onnx"))]
fn open(path: &std::path::Path) -> crate::Result<(std::fs::File, u64)> {
    // Checked before opening: opening a pipe without a writer would block forever.
    if !std::fs::metadata(path)?.is_file() {
        return Err(crate::Error::io("this path is not a regular file"));
    }
    let file = std::fs::File::open(path)?;
    let length = file.metadata()?.len();
    Ok((file, length))
}
