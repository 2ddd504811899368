//! The shader text of the elementary functions, `shaders/real/`, and of the functions in [`unary`](crate::unary),
//! `shaders/unary/`.

use crate::error::{Error, Result};
use crate::unary::Unary;

macro_rules! real {
    ($($name:literal),* $(,)?) => {
        concat!($(include_str!(concat!("../../../shaders/real/", $name, ".wgsl"))),*)
    };
}

/// The text of the elementary functions. It follows `common.wgsl`.
pub(super) const REAL: &str = real!(
    "bits",
    "divide",
    "reciprocal",
    "sqrt",
    "exp",
    "ln",
    "tanh",
    "sigmoid",
    "erf",
    "normal",
    "sine",
    "arc",
    "hyperbolic",
);

/// A function of one number as shader text.
pub(super) struct Formula {
    /// The functions `value`, `first` and `second`. They call the elementary functions and `parameter`.
    pub text: &'static str,
    /// The numbers that `parameter` returns.
    pub parameters: [f32; 2],
}

impl Formula {
    /// The params of a kernel that maps the function, after the number of entries.
    pub fn params(&self) -> [u32; 6] {
        let [first, second] = self.parameters.map(f32::to_bits);
        [0, 0, 0, 0, first, second]
    }
}

/// The shader text and the parameters of `f`.
///
/// # Errors
/// `f` is a custom function without a shader.
pub(super) fn formula(f: Unary) -> Result<Formula> {
    let Some(text) = f.shader() else {
        let name = f.name();
        return Err(Error::unsupported(format!(
            "the activation '{name}' has no shader, so a GPU cannot compute it: add one with Custom::with_shader, or use \
             the CPU"
        )));
    };
    Ok(Formula { text, parameters: f.parameters().map(|number| number as f32) })
}
