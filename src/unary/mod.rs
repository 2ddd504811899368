//! Elementwise functions: the activations, which every backend maps over its arrays.
//!
//! A function is a small type that implements [`Function`]; [`Unary`] is any one of them. The README beside this file
//! says how to add another.
//!
//! ```
//! use tangent_kernels::Attributes;
//! use tangent_kernels::unary::Unary;
//! let tanh = Unary::parse("tanh", &Attributes::default()).unwrap().unwrap();
//! let y = tanh.value(0.5);
//! assert!((y - 0.5f64.tanh()).abs() < 1e-15);
//! assert_eq!(tanh.first(0.5, y), (1.0 - y) * (1.0 + y));
//! assert!(Unary::parse("cosh", &Attributes::default()).is_none());
//! ```

use std::fmt::Debug;

use crate::attributes::Attributes;
use crate::error::{Error, Result};
use crate::real::Real;

/// A function of one number, with its first and second derivative.
///
/// The implementations of this crate hold to these rules, and `tests/unary.rs` checks them: the value is within a few
/// units in the last place wherever it is a normal number, the derivatives within a few machine epsilons, absolutely, and
/// relatively where they are large; nothing overflows or turns into NaN on the way to a finite result, nor at an infinity
/// where there is a limit; what is beyond the range of the numbers is infinite; NaN gives NaN, in the value and in the
/// derivatives, and so does a number where there is no value.
pub trait Function: Copy + Debug + PartialEq + Send + Sync + 'static {
    /// The function called `name` with these attributes: `None` if `name` is another's, an error if an attribute is
    /// missing or out of range.
    fn parse(name: &str, attributes: &Attributes) -> Option<Result<Self>>;

    /// The name by which [`parse`](Function::parse) knows it.
    fn name(self) -> &'static str;

    /// f(x)
    fn value<R: Real>(self, x: R) -> R;

    /// f'(x), where `y` is [`value`](Function::value) at `x`: some derivatives are cheaper from it.
    fn first<R: Real>(self, x: R, y: R) -> R;

    /// f''(x), where `y` is [`value`](Function::value) at `x`.
    fn second<R: Real>(self, x: R, y: R) -> R;

    /// Calls the visitor with this function, or with one for the choice that its parameters make: a choice between
    /// long formulas is not to be made inside a loop over numbers.
    fn visit<V: Visit>(self, visitor: V) -> V::Output {
        visitor.visit(self)
    }

    /// The parameter choices that tests of all functions run this one with.
    fn cases() -> Vec<Self>;

    /// Where it has no first or no second derivative. [`first`](Function::first) and [`second`](Function::second)
    /// return something there too, but differences around these points show nothing about them.
    fn kinks(self) -> Vec<f64> {
        Vec::new()
    }

    /// An interval where the function is defined and differences approximate its derivatives. The default is all numbers.
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

    /// The text of the function's shader. The default, `None`, means the file `shaders/unary/NAME.wgsl` for functions of
    /// the registry.
    fn shader(self) -> Option<&'static str> {
        None
    }
}

/// Which derivative of a function is meant.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Order {
    /// f', see [`Function::first`].
    First,
    /// f'', see [`Function::second`].
    Second,
}

/// What to do with a function once it is known which one it is: see [`Unary::visit`].
pub trait Visit {
    /// What [`visit`](Visit::visit) returns.
    type Output;

    /// Called with the function itself, so that this body is compiled for each function, with nothing to decide
    /// inside its loops.
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
            /// Calls the visitor with the function itself. The choice of the function is made here, once, instead of for
            /// each number.
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
    clamp: Clamp,
    detach: Detach,
    elu: Elu,
    erf: Erf,
    exp: Exp,
    floor: Floor,
    gelu: Gelu,
    leaky_relu: LeakyRelu,
    log: Log,
    reciprocal: Reciprocal,
    relu: Relu,
    round: Round,
    sigmoid: Sigmoid,
    sign: Sign,
    silu: Silu,
    sin: Sin,
    softplus: Softplus,
    sqrt: Sqrt,
    tanh: Tanh,
}

impl Unary {
    /// Whether it is a step function: its derivative is 0 wherever there is one, and nothing is carried through it.
    pub fn is_piecewise_constant(self) -> bool {
        matches!(self, Unary::Floor(_) | Unary::Round(_) | Unary::Sign(_))
    }
}

/// The number `key` of the function `name`. An error if it is missing or so large that `f32` cannot hold it.
fn parameter(name: &str, attributes: &Attributes, key: &str) -> Result<f64> {
    let found = attributes.number(key).and_then(|x| match x.abs() <= f64::from(f32::MAX) {
        true => Ok(x),
        false => Err(Error::value(format!("attribute '{key}' is {x}, which is out of the range of f32"))),
    });
    found.map_err(|error| error.context(name))
}

/// `value`, but NaN where `x` is.
#[inline(always)]
fn constant<R: Real>(value: f64, x: R) -> R {
    if x <= R::from_f64(f64::INFINITY) { R::from_f64(value) } else { x }
}

/// `x` kept between `-limit` and `limit`; NaN stays NaN. Beyond a limit that is chosen well nothing changes any more,
/// and no infinity gets multiplied by zero.
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
