use super::{Function, constant};
use crate::attributes::Attributes;
use crate::error::Result;
use crate::real::Real;

/// x without gradient, like `detach` of PyTorch and `stop_gradient` of JAX and TensorFlow
///
/// Both derivatives are 0 by definition, not the limits of differences. There is no kink.
///
/// At the far ends the value is x.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Detach;

impl Function for Detach {
    fn parse(name: &str, _: &Attributes) -> Option<Result<Self>> {
        (name == Detach.name()).then_some(Ok(Detach))
    }

    fn name(self) -> &'static str {
        "detach"
    }

    #[inline(always)]
    fn value<R: Real>(self, x: R) -> R {
        x
    }

    #[inline(always)]
    fn first<R: Real>(self, x: R, _: R) -> R {
        constant(0.0, x)
    }

    #[inline(always)]
    fn second<R: Real>(self, x: R, _: R) -> R {
        constant(0.0, x)
    }

    fn cases() -> Vec<Self> {
        vec![Detach]
    }

    fn stops_gradients(self) -> bool {
        true
    }
}
