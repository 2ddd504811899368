use super::{Function, constant, parameter};
use crate::attributes::Attributes;
use crate::error::Result;
use crate::real::Real;

/// x + bias for x < -lambda, x - bias for x > lambda, 0 between them
///
/// With bias = lambda it is PyTorch's `softshrink`, with bias = 0 its `hardshrink`. First derivative 1 outside and 0
/// for -lambda <= x <= lambda, second 0. At the kinks, or jumps, x = -lambda and x = lambda, value and derivative are
/// the inner side's, 0, as in PyTorch.
///
/// At the far ends: x + bias on the left, x - bias on the right.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Shrink {
    /// Where the function stops to be 0: any number that `f32` can hold. The attribute `lambda`, which has no default.
    pub lambda: f64,
    /// How far the outer parts are moved towards 0: any number that `f32` can hold. The attribute `bias`, which has no
    /// default.
    pub bias: f64,
}

impl Function for Shrink {
    fn parse(name: &str, attributes: &Attributes) -> Option<Result<Self>> {
        (name == "shrink").then(|| {
            let (lambda, bias) = (parameter(name, attributes, "lambda")?, parameter(name, attributes, "bias")?);
            Ok(Shrink { lambda, bias })
        })
    }

    fn name(self) -> &'static str {
        "shrink"
    }

    #[inline(always)]
    fn value<R: Real>(self, x: R) -> R {
        let (lambda, bias) = (R::from_f64(self.lambda), R::from_f64(self.bias));
        if x < -lambda {
            x + bias
        } else if x > lambda {
            x - bias
        } else {
            constant(0.0, x)
        }
    }

    #[inline(always)]
    fn first<R: Real>(self, x: R, _: R) -> R {
        let lambda = R::from_f64(self.lambda);
        if x < -lambda || x > lambda { R::from_f64(1.0) } else { constant(0.0, x) }
    }

    #[inline(always)]
    fn second<R: Real>(self, x: R, _: R) -> R {
        constant(0.0, x)
    }

    fn cases() -> Vec<Self> {
        vec![Shrink { lambda: 0.5, bias: 0.5 }, Shrink { lambda: 0.25, bias: 0.0 }]
    }

    fn parameters(self) -> [f64; 2] {
        [self.lambda, self.bias]
    }

    fn kinks(self) -> Vec<f64> {
        vec![-self.lambda, self.lambda]
    }
}
