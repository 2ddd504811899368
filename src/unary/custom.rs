use super::Function;
use crate::attributes::Attributes;
use crate::error::Result;
use crate::real::Real;

/// An activation of your own: a function with its first and second derivative
///
/// The CPU calls the functions in `f64` for one number at a time, and rounds the results. A GPU needs a
/// [shader](Custom::with_shader). Without one, arrays on a GPU carry an error, and reading them returns it.
///
/// Manifests identify the activation by its name. Descriptions of models cannot be read back: the name is not in the
/// registry.
///
/// ```
/// use tangent_kernels::unary::{Custom, Unary};
/// let softsign = Custom::new(
///     "softsign",
///     |x| x / (1.0 + x.abs()),
///     |x| (1.0 + x.abs()).powi(-2),
///     |x| -2.0 * x.signum() * (1.0 + x.abs()).powi(-3),
/// );
/// assert_eq!(Unary::from(softsign).value(1.0), 0.5);
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Custom {
    name: &'static str,
    value: fn(f64) -> f64,
    first: fn(f64) -> f64,
    second: fn(f64) -> f64,
    shader: Option<&'static str>,
}

impl Custom {
    /// The activation `name` with f = `value`, f' = `first` and f'' = `second`.
    pub const fn new(name: &'static str, value: fn(f64) -> f64, first: fn(f64) -> f64, second: fn(f64) -> f64) -> Self {
        Custom { name, value, first, second, shader: None }
    }

    /// The same activation with a shader for GPUs. `wgsl` defines `value(x: f32) -> f32`, `first(x: f32, y: f32) ->
    /// f32` and `second(x: f32, y: f32) -> f32`, where y = f(x).
    #[must_use]
    pub const fn with_shader(self, wgsl: &'static str) -> Self {
        Custom { shader: Some(wgsl), ..self }
    }
}

/// Two activations are equal if their names and functions are.
impl PartialEq for Custom {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
            && self.shader == other.shader
            && std::ptr::fn_addr_eq(self.value, other.value)
            && std::ptr::fn_addr_eq(self.first, other.first)
            && std::ptr::fn_addr_eq(self.second, other.second)
    }
}

impl Function for Custom {
    /// A description has no functions, so nothing is parsed as one.
    fn parse(_: &str, _: &Attributes) -> Option<Result<Self>> {
        None
    }

    fn name(self) -> &'static str {
        self.name
    }

    fn value<R: Real>(self, x: R) -> R {
        R::from_f64((self.value)(x.f64()))
    }

    fn first<R: Real>(self, x: R, _: R) -> R {
        R::from_f64((self.first)(x.f64()))
    }

    fn second<R: Real>(self, x: R, _: R) -> R {
        R::from_f64((self.second)(x.f64()))
    }

    fn shader(self) -> Option<&'static str> {
        self.shader
    }

    fn cases() -> Vec<Self> {
        Vec::new()
    }
}
