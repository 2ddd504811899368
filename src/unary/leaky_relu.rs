use super::{Function, constant, parameter};
use crate::attributes::Attributes;
use crate::error::Result;
use crate::real::Real;

/// x for x > 0, slope * x for x <= 0
///
/// The first derivative is 1 for x > 0 and the slope for x <= 0. The second is 0. At the kink, x = 0, the first
/// derivative is that of the left side, the slope, as in PyTorch.
///
/// At the far ends the value is slope * x on the left (0 if the slope is 0) and x on the right.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LeakyRelu {
    /// The slope for x <= 0: any finite number in the range of `f32`. The attribute `slope`, without default.
    pub slope: f64,
}

impl Function for LeakyRelu {
    fn parse(name: &str, attributes: &Attributes) -> Option<Result<Self>> {
        (name == "leaky_relu").then(|| Ok(LeakyRelu { slope: parameter(name, attributes, "slope")? }))
    }

    fn name(self) -> &'static str {
        "leaky_relu"
    }

    #[inline(always)]
    fn value<R: Real>(self, x: R) -> R {
        let slope = R::from_f64(self.slope);
        let zero = R::default();
        if x > zero {
            x
        } else if slope == zero {
            // 0 * -infinity would be NaN.
            constant(0.0, x)
        } else {
            slope * x
        }
    }

    #[inline(always)]
    fn first<R: Real>(self, x: R, _: R) -> R {
        if x <= R::default() { R::from_f64(self.slope) } else { constant(1.0, x) }
    }

    #[inline(always)]
    fn second<R: Real>(self, x: R, _: R) -> R {
        constant(0.0, x)
    }

    fn cases() -> Vec<Self> {
        vec![LeakyRelu { slope: 0.01 }, LeakyRelu { slope: 0.25 }]
    }

    fn parameters(self) -> [f64; 2] {
        [self.slope, 0.0]
    }

    fn kinks(self) -> Vec<f64> {
        vec![0.0]
    }
}
