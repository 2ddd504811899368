//! Elementwise functions, such as activations. Every backend maps them over its arrays.
//!
//! A function is a type that implements [`Function`]. [`Unary`] is any one of them. [`Custom`] is a function of your
//! own. The README in this folder says how to add a built-in function.
//!
//! ```
//! use tangent_kernels::Attributes;
//! use tangent_kernels::unary::Unary;
//! let tanh = Unary::parse("tanh", &Attributes::default()).unwrap().unwrap();
//! let y = tanh.value(0.5);
//! assert!((y - 0.5f64.tanh()).abs() < 1e-15);
//! assert_eq!(tanh.first(0.5, y), (1.0 - y) * (1.0 + y));
//! assert!(Unary::parse("coth", &Attributes::default()).is_none());
//! ```

use std::fmt::Debug;

use crate::attributes::Attributes;
use crate::error::{Error, Result};
use crate::real::Real;

/// A function of one number, with its first and second derivative.
///
/// The built-in functions follow these rules, which `tests/unary.rs` checks:
///
/// - The error of a value that is a normal number is a few units in the last place. The error of a derivative is a few
///   machine epsilons, absolute if it is small and relative if it is large.
/// - No intermediate result overflows or becomes NaN if the result is finite or has a limit at infinity.
/// - Results beyond the range of the numbers are infinite.
/// - The value and the derivatives of NaN are NaN, and so are those outside the domain.
pub trait Function: Copy + Debug + PartialEq + Send + Sync + 'static {
    /// The function called `name` with these attributes. `None` if `name` is another function.
    ///
    /// # Errors
    /// An attribute is missing or out of range.
    fn parse(name: &str, attributes: &Attributes) -> Option<Result<Self>>;

    /// The name of the function, as [`parse`](Function::parse) reads it.
    fn name(self) -> &'static str;

    /// f(x)
    fn value<R: Real>(self, x: R) -> R;

    /// f'(x), where `y` is [`value`](Function::value) at `x`. Some derivatives are cheaper to compute from y.
    fn first<R: Real>(self, x: R, y: R) -> R;

    /// f''(x), where `y` is [`value`](Function::value) at `x`.
    fn second<R: Real>(self, x: R, y: R) -> R;

    /// Calls the visitor with this function. If a parameter selects between long formulas, the visitor gets a function
    /// with a fixed formula, so that loops over numbers have no branch.
    fn visit<V: Visit>(self, visitor: V) -> V::Output {
        visitor.visit(self)
    }

    /// The parameters for which the tests run this function.
    fn cases() -> Vec<Self>;

    /// The points without a first or second derivative. [`first`](Function::first) and [`second`](Function::second)
    /// return a number there too, but differences around these points do not approximate it.
    fn kinks(self) -> Vec<f64> {
        Vec::new()
    }

    /// An interval where the function is defined and differences approximate its derivatives. The default is all
    /// numbers.
    fn domain(self) -> [f64; 2] {
        [f64::NEG_INFINITY, f64::INFINITY]
    }

    /// True if the derivatives are 0 by definition. Differences do not approximate them.
    fn stops_gradients(self) -> bool {
        false
    }

    /// The numbers that the function's shader reads as `parameter(0)` and `parameter(1)`. The default is zeros.
    fn parameters(self) -> [f64; 2] {
        [0.0; 2]
    }

    /// The text of the function's shader. The default, `None`, means the file `shaders/unary/NAME.wgsl` for functions
    /// of the registry.
    fn shader(self) -> Option<&'static str> {
        None
    }
}

/// The order of a derivative.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Order {
    /// f', see [`Function::first`].
    First,
    /// f'', see [`Function::second`].
    Second,
}

/// An action on a function of known type: see [`Unary::visit`].
pub trait Visit {
    /// The result of [`visit`](Visit::visit).
    type Output;

    /// Called with the function itself. The body is compiled for each function, so its loops have no branch.
    fn visit<F: Function>(self, f: F) -> Self::Output;
}

/// The enum of all functions, those of the registry and [`Custom`].
macro_rules! any_function {
    ($($Type:ident),* $(,)?) => {
        /// Any one of the functions of this module.
        #[derive(Clone, Copy, Debug, PartialEq)]
        #[non_exhaustive]
        pub enum Unary {
            $(
                #[doc = concat!("See [`", stringify!($Type), "`].")]
                $Type($Type),
            )*
        }

        $(
            impl From<$Type> for Unary {
                fn from(f: $Type) -> Self {
                    Unary::$Type(f)
                }
            }
        )*

        impl Unary {
            /// Calls the visitor with the function itself. The choice of the function is made here, once, instead of
            /// for each number.
            #[inline]
            pub fn visit<V: Visit>(self, visitor: V) -> V::Output {
                match self {
                    $(Unary::$Type(f) => Function::visit(f, visitor),)*
                }
            }

            /// The name of the function, as [`parse`](Unary::parse) reads it.
            pub fn name(self) -> &'static str {
                match self {
                    $(Unary::$Type(f) => f.name(),)*
                }
            }

            /// f(x)
            #[inline]
            pub fn value<R: Real>(self, x: R) -> R {
                match self {
                    $(Unary::$Type(f) => f.value(x),)*
                }
            }

            /// f'(x), where `y` is [`value`](Unary::value) at `x`.
            #[inline]
            pub fn first<R: Real>(self, x: R, y: R) -> R {
                match self {
                    $(Unary::$Type(f) => f.first(x, y),)*
                }
            }

            /// f''(x), where `y` is [`value`](Unary::value) at `x`.
            #[inline]
            pub fn second<R: Real>(self, x: R, y: R) -> R {
                match self {
                    $(Unary::$Type(f) => f.second(x, y),)*
                }
            }

            /// The points without a first or second derivative: see [`Function::kinks`].
            pub fn kinks(self) -> Vec<f64> {
                match self {
                    $(Unary::$Type(f) => f.kinks(),)*
                }
            }

            /// The interval where differences approximate the derivatives: see [`Function::domain`].
            pub fn domain(self) -> [f64; 2] {
                match self {
                    $(Unary::$Type(f) => f.domain(),)*
                }
            }

            /// True if the derivatives are 0 by definition: see [`Function::stops_gradients`].
            pub fn stops_gradients(self) -> bool {
                match self {
                    $(Unary::$Type(f) => f.stops_gradients(),)*
                }
            }

            /// The numbers that the shader reads: see [`Function::parameters`].
            #[cfg(feature = "gpu")]
            pub(crate) fn parameters(self) -> [f64; 2] {
                match self {
                    $(Unary::$Type(f) => f.parameters(),)*
                }
            }
        }
    };
}

/// The registry. A function's module, its shader in `shaders/unary/` and its name in descriptions have one name.
macro_rules! functions {
    ($($module:ident: $Type:ident),* $(,)?) => {
        $(
            mod $module;
            pub use $module::$Type;
        )*

        any_function! { $($Type,)* Custom }

        impl Unary {
            /// The names of all functions in the registry, sorted.
            pub const NAMES: &'static [&'static str] = &[$(stringify!($module)),*];

            /// The function called `name` with these attributes. `None` if the registry has no such name.
            ///
            /// # Errors
            /// An attribute is missing or out of range.
            pub fn parse(name: &str, attributes: &Attributes) -> Option<Result<Self>> {
                $(
                    if let Some(parsed) = <$Type as Function>::parse(name, attributes) {
                        return Some(parsed.map(Unary::$Type));
                    }
                )*
                None
            }

            /// The cases of all functions in the registry: see [`Function::cases`].
            pub fn cases() -> Vec<Self> {
                let mut cases = Vec::new();
                $(cases.extend(<$Type as Function>::cases().into_iter().map(Unary::$Type));)*
                cases
            }

            /// The text of the shader. `None` for a [`Custom`] function without one.
            #[cfg(feature = "gpu")]
            pub(crate) fn shader(self) -> Option<&'static str> {
                match self {
                    $(
                        Unary::$Type(f) => Some(f.shader().unwrap_or(include_str!(concat!(
                            "../../shaders/unary/",
                            stringify!($module),
                            ".wgsl"
                        )))),
                    )*
                    Unary::Custom(f) => f.shader(),
                }
            }
        }
    };
}

mod custom;
pub use custom::Custom;

// The registry: one line per function, sorted. The module's name is the function's.
functions! {
    abs: Abs,
    acos: Acos,
    acosh: Acosh,
    asin: Asin,
    asinh: Asinh,
    atan: Atan,
    atanh: Atanh,
    clamp: Clamp,
    cos: Cos,
    cosh: Cosh,
    detach: Detach,
    elu: Elu,
    erf: Erf,
    exp: Exp,
    floor: Floor,
    gelu: Gelu,
    hard_tanh: HardTanh,
    leaky_relu: LeakyRelu,
    log: Log,
    norm_sqrt: NormSqrt,
    pow: Pow,
    quantize: Quantize,
    reciprocal: Reciprocal,
    relu: Relu,
    round: Round,
    shrink: Shrink,
    sigmoid: Sigmoid,
    sign: Sign,
    silu: Silu,
    sin: Sin,
    sinh: Sinh,
    softplus: Softplus,
    sqrt: Sqrt,
    tan: Tan,
    tanh: Tanh,
    thresholded_relu: ThresholdedRelu,
}

impl Unary {
    /// True for step functions. Their derivative is 0 wherever it exists, so no gradient passes through them.
    pub fn is_piecewise_constant(self) -> bool {
        matches!(self, Unary::Floor(_) | Unary::Round(_) | Unary::Sign(_))
    }
}

/// The number `key` of the function `name`.
///
/// # Errors
/// The number is missing or outside the range of `f32`.
fn parameter(name: &str, attributes: &Attributes, key: &str) -> Result<f64> {
    let number = attributes.number(key).map_err(|error| error.context(name))?;
    // A NaN fails the comparison.
    if number.abs() <= f64::from(f32::MAX) {
        return Ok(number);
    }
    Err(Error::value(format!("{name}: attribute '{key}' is {number}, which is outside the range of f32")))
}

/// `value`, or NaN if `x` is NaN.
#[inline(always)]
fn constant<R: Real>(value: f64, x: R) -> R {
    if x <= R::from_f64(f64::INFINITY) { R::from_f64(value) } else { x }
}

/// `x` clamped to `-limit` and `limit`. NaN stays NaN. With a suitable limit the result does not change, and no
/// infinity is multiplied by zero.
#[inline(always)]
fn limited<R: Real>(x: R, limit: f64) -> R {
    let limit = R::from_f64(limit);
    if x < -limit {
        -limit
    } else if x > limit {
        limit
    } else {
        x
    }
}
