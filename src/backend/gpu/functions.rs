//! The elementwise functions as shaders have them.

use crate::unary::{Clamp, Elu, Gelu, LeakyRelu, Unary};

macro_rules! files {
    ($($name:literal),* $(,)?) => { concat!($(include_str!(concat!("../../../shaders/real/", $name, ".wgsl")), "\n"),*) };
}

/// The elementary functions, in an order that does not matter.
pub(super) const REAL: &str =
    files!("bits", "divide", "erf", "exp", "ln", "normal", "reciprocal", "sigmoid", "sine", "sqrt", "tanh");

/// A function's text, which defines `value`, `first` and `second`, and its own numbers.
pub(super) struct Formula {
    pub text: &'static str,
    pub parameters: [f32; 2],
}

/// The shader's text of a function.
pub(super) fn formula(f: Unary) -> Formula {
    macro_rules! text {
        ($name:literal) => {
            include_str!(concat!("../../../shaders/unary/", $name, ".wgsl"))
        };
    }
    let (text, parameters) = match f {
        Unary::Abs(_) => (text!("abs"), [0.0; 2]),
        Unary::Clamp(Clamp { min, max }) => (text!("clamp"), [min, max]),
        Unary::Elu(Elu { alpha }) => (text!("elu"), [alpha, 0.0]),
        Unary::Erf(_) => (text!("erf"), [0.0; 2]),
        Unary::Exp(_) => (text!("exp"), [0.0; 2]),
        Unary::Gelu(Gelu { approximate: false }) => (text!("gelu"), [0.0; 2]),
        Unary::Gelu(Gelu { approximate: true }) => (text!("gelu_tanh"), [0.0; 2]),
        Unary::LeakyRelu(LeakyRelu { slope }) => (text!("leaky_relu"), [slope, 0.0]),
        Unary::Log(_) => (text!("log"), [0.0; 2]),
        Unary::Reciprocal(_) => (text!("reciprocal"), [0.0; 2]),
        Unary::Relu(_) => (text!("relu"), [0.0; 2]),
        Unary::Sigmoid(_) => (text!("sigmoid"), [0.0; 2]),
        Unary::Silu(_) => (text!("silu"), [0.0; 2]),
        Unary::Sin(_) => (text!("sin"), [0.0; 2]),
        Unary::Softplus(_) => (text!("softplus"), [0.0; 2]),
        Unary::Sqrt(_) => (text!("sqrt"), [0.0; 2]),
        Unary::Tanh(_) => (text!("tanh"), [0.0; 2]),
    };
    Formula { text, parameters: parameters.map(|x| x as f32) }
}
