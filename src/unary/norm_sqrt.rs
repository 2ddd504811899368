use super::{Function, Sqrt};
use crate::attributes::Attributes;
use crate::error::Result;
use crate::real::Real;

/// sqrt(x) with the derivative 0 at x = 0
///
/// The length of a vector is this function of the sum of squares. So the length of a zero vector has the gradient 0, as
/// in PyTorch, where [`Sqrt`](super::Sqrt) would give infinity times 0.
///
/// For x > 0 the first derivative is 1 / (2 sqrt(x)), the second -1 / (4 x sqrt(x)). At x = 0 both are 0. For x < 0 value
/// and derivatives are NaN.
///
/// At the far end the value goes to infinity, both derivatives to 0.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct NormSqrt;

impl Function for NormSqrt {
    fn parse(name: &str, _: &Attributes) -> Option<Result<Self>> {
        (name == NormSqrt.name()).then_some(Ok(NormSqrt))
    }

    fn name(self) -> &'static str {
        "norm_sqrt"
    }

    #[inline(always)]
    fn value<R: Real>(self, x: R) -> R {
        x.sqrt()
    }

    #[inline(always)]
    fn first<R: Real>(self, x: R, y: R) -> R {
        if x == R::default() { x.abs() } else { Sqrt.first(x, y) }
    }

    #[inline(always)]
    fn second<R: Real>(self, x: R, y: R) -> R {
        if x == R::default() { x.abs() } else { Sqrt.second(x, y) }
    }

    fn cases() -> Vec<Self> {
        vec![NormSqrt]
    }

    fn kinks(self) -> Vec<f64> {
        vec![0.0]
    }

    fn domain(self) -> [f64; 2] {
        // Away from 0, where the derivatives grow without bound.
        [0.5, 2.5]
    }
}
