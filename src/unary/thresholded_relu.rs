use super::{Function, constant, parameter};
use crate::attributes::Attributes;
use crate::error::Result;
use crate::real::Real;

/// x for x > alpha, 0 for x <= alpha
///
/// The first derivative is 1 for x > alpha and 0 for x <= alpha. The second is 0. At the jump, x = alpha, value and
/// derivative are the left side's, 0.
///
/// At the far ends: 0 on the left, x itself on the right.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ThresholdedRelu {
    /// The threshold: any finite number that `f32` can hold. The attribute `alpha`, which has no default.
    pub alpha: f64,
}

impl Function for ThresholdedRelu {
    fn parse(name: &str, attributes: &Attributes) -> Option<Result<Self>> {
        (name == "thresholded_relu").then(|| Ok(ThresholdedRelu { alpha: parameter(name, attributes, "alpha")? }))
    }

    fn name(self) -> &'static str {
        "thresholded_relu"
    }

    #[inline(always)]
    fn value<R: Real>(self, x: R) -> R {
        if x <= R::from_f64(self.alpha) { R::default() } else { x }
    }

    #[inline(always)]
    fn first<R: Real>(self, x: R, _: R) -> R {
        if x <= R::from_f64(self.alpha) { R::default() } else { constant(1.0, x) }
    }

    #[inline(always)]
    fn second<R: Real>(self, x: R, _: R) -> R {
        constant(0.0, x)
    }

    fn cases() -> Vec<Self> {
        vec![ThresholdedRelu { alpha: 1.0 }, ThresholdedRelu { alpha: -0.5 }]
    }

    fn parameters(self) -> [f64; 2] {
        [self.alpha, 0.0]
    }

    fn kinks(self) -> Vec<f64> {
        vec![self.alpha]
    }
}
