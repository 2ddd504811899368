//! The error type of the crate.

use std::fmt;

/// The error type. Its message names the op, parameter, file or shapes that are involved.
///
/// The type is opaque. Predicates such as [`Error::is_shape`] distinguish the kinds that a program may handle
/// differently. The message is for people and may change.
///
/// ```
/// use tangent_kernels::{Batch, Error};
/// let error: Error = Batch::new(&[1.0f64, 2.0, 3.0], &[2, 2]).unwrap_err();
/// assert!(error.is_shape());
/// assert!(error.to_string().contains("[2, 2]"));
/// ```
#[derive(Clone)]
pub struct Error(Box<Inner>);

#[derive(Clone)]
struct Inner {
    kind: Kind,
    message: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Shape,
    Name,
    Value,
    Format,
    Io,
    Unsupported,
    Memory,
    Device,
    Cancelled,
}

/// A result whose error is this crate's [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

macro_rules! kinds {
    ($($kind:ident, $new:ident, $is:ident, $what:literal;)*) => {
        impl Error {
            $(
                #[doc = concat!("An error because ", $what, ".")]
                pub fn $new(message: impl Into<String>) -> Self {
                    Error(Box::new(Inner { kind: Kind::$kind, message: message.into() }))
                }

                #[doc = concat!("True if ", $what, ".")]
                pub fn $is(&self) -> bool {
                    self.0.kind == Kind::$kind
                }
            )*
        }
    };
}

kinds! {
    Shape, shape, is_shape, "shapes or lengths do not match";
    Name, name, is_name, "a parameter, op, method or value of this name does not exist, or exists already";
    Value, value, is_value, "a number is out of range: NaN, infinite, or an invalid option";
    Format, format, is_format, "a file or text has an invalid format: truncated, malformed or of another type";
    Io, io, is_io, "the operating system failed to read or write";
    Unsupported, unsupported, is_unsupported, "the request cannot be computed exactly, or is not supported";
    Memory, memory, is_memory, "memory is too small";
    Device, device, is_device, "a GPU is missing, failed, was lost or does not respond";
    Cancelled, cancelled, is_cancelled, "the caller cancelled";
}

impl Error {
    /// Prepends `what` to the message, for example the path of a file.
    #[must_use]
    pub fn context(mut self, what: impl fmt::Display) -> Self {
        self.0.message = format!("{what}: {}", self.0.message);
        self
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.message)
    }
}

/// As [`Display`](fmt::Display), preceded by the kind: `fn main() -> Result` prints this.
impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} error: {}", self.0.kind, self.0.message)
    }
}

impl std::error::Error for Error {}

impl From<std::io::Error> for Error {
    fn from(error: std::io::Error) -> Self {
        Error::io(error.to_string())
    }
}
