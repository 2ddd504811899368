//! A stand-in until the accurate functions are here.
use crate::unary::Unary;

pub(super) const REAL: &str = "
fn exp_accurate(x: f32) -> f32 { return exp(x); }
fn divided(a: f32, b: f32) -> f32 { return a / b; }
fn ln_1p_accurate(x: f32) -> f32 { return log(1.0 + x); }
";

pub(super) struct Formula {
    pub text: &'static str,
    pub parameters: [f32; 2],
}

pub(super) fn formula(f: Unary) -> Formula {
    let text = match f {
        Unary::Relu(_) => {
            "fn value(x: f32) -> f32 { return max(x, 0.0); } fn first(x: f32, y: f32) -> f32 { return select(0.0, 1.0, x > 0.0); } fn second(x: f32, y: f32) -> f32 { return 0.0; }"
        }
        _ => {
            "fn value(x: f32) -> f32 { return tanh(x); } fn first(x: f32, y: f32) -> f32 { return 1.0 - y * y; } fn second(x: f32, y: f32) -> f32 { return -2.0 * y * (1.0 - y * y); }"
        }
    };
    Formula { text, parameters: [0.0; 2] }
}
