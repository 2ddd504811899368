//! The elementary functions, and what those of [`unary`](crate::unary) are on a device: the files in `shaders/real/` and
//! `shaders/unary/`.

use crate::unary::{Clamp, Elu, Gelu, LeakyRelu, Unary};

macro_rules! real {
    ($($name:literal),* $(,)?) => {
        concat!($(include_str!(concat!("../../../shaders/real/", $name, ".wgsl"))),*)
    };
}

macro_rules! text {
    ($name:literal) => {
        include_str!(concat!("../../../shaders/unary/", $name, ".wgsl"))
    };
}

/// The elementary functions, which follow `common.wgsl`.
pub(super) const REAL: &str =
    real!("bits", "divide", "reciprocal", "sqrt", "exp", "ln", "tanh", "sigmoid", "erf", "normal", "sine",);

/// A function of one number.
pub(super) struct Formula {
    /// `value`, `first` and `second`, which call the elementary functions and `parameter`.
    pub text: &'static str,
    /// What `parameter` is to return.
    pub parameters: [f32; 2],
}

/// The text for `f`, and its own numbers.
pub(super) fn formula(f: Unary) -> Formula {
    let text = match f {
        Unary::Abs(_) => text!("abs"),
        Unary::Clamp(_) => text!("clamp"),
        Unary::Detach(_) => text!("detach"),
        Unary::Elu(_) => text!("elu"),
        Unary::Erf(_) => text!("erf"),
        Unary::Exp(_) => text!("exp"),
        Unary::Floor(_) => text!("floor"),
        Unary::Gelu(Gelu { approximate: false }) => text!("gelu"),
        Unary::Gelu(Gelu { approximate: true }) => text!("gelu_tanh"),
        Unary::LeakyRelu(_) => text!("leaky_relu"),
        Unary::Log(_) => text!("log"),
        Unary::Reciprocal(_) => text!("reciprocal"),
        Unary::Relu(_) => text!("relu"),
        Unary::Round(_) => text!("round"),
        Unary::Sigmoid(_) => text!("sigmoid"),
        Unary::Sign(_) => text!("sign"),
        Unary::Silu(_) => text!("silu"),
        Unary::Sin(_) => text!("sin"),
        Unary::Softplus(_) => text!("softplus"),
        Unary::Sqrt(_) => text!("sqrt"),
        Unary::Tanh(_) => text!("tanh"),
    };
    Formula { text, parameters: parameters(f) }
}

fn parameters(f: Unary) -> [f32; 2] {
    match f {
        Unary::Clamp(Clamp { min, max }) => [min as f32, max as f32],
        Unary::Elu(Elu { alpha }) => [alpha as f32, 0.0],
        Unary::LeakyRelu(LeakyRelu { slope }) => [slope as f32, 0.0],
        _ => [0.0; 2],
    }
}
