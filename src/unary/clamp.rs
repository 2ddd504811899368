use super::{Function, constant, parameter};
use crate::attributes::Attributes;
use crate::error::{Error, Result};
use crate::real::Real;

/// x clamped to two bounds: min for x < min, max for x > max, else x
///
/// The first derivative is 1 for min <= x <= max and 0 outside. The second is 0. At the kinks, x = min and x = max, the
/// first derivative is that of the inner side, 1, as in PyTorch. This includes min = max.
///
/// At the far ends the value is min on the left and max on the right.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Clamp {
    /// The lower bound: any finite number in the range of `f32`. The attribute `min`, without default.
    pub min: f64,
    /// The upper bound: any finite number in the range of `f32` that is at least `min`. The attribute `max`, without
    /// default.
    pub max: f64,
}

impl Clamp {
    /// The bounds of the function called `name`.
    pub(super) fn from_attributes(name: &str, attributes: &Attributes) -> Result<Self> {
        let (min, max) = (parameter(name, attributes, "min")?, parameter(name, attributes, "max")?);
        if min > max {
            return Err(Error::value(format!("{name}: attribute 'min' is {min}, above 'max', which is {max}")));
        }
        Ok(Clamp { min, max })
    }
}

impl Function for Clamp {
    fn parse(name: &str, attributes: &Attributes) -> Option<Result<Self>> {
        (name == "clamp").then(|| Clamp::from_attributes(name, attributes))
    }

    fn name(self) -> &'static str {
        "clamp"
    }

    #[inline(always)]
    fn value<R: Real>(self, x: R) -> R {
        let [min, max] = [self.min, self.max].map(R::from_f64);
        // With these comparisons NaN stays NaN.
        if x < min {
            min
        } else if x > max {
            max
        } else {
            x
        }
    }

    #[inline(always)]
    fn first<R: Real>(self, x: R, _: R) -> R {
        if x < R::from_f64(self.min) || x > R::from_f64(self.max) { R::default() } else { constant(1.0, x) }
    }

    #[inline(always)]
    fn second<R: Real>(self, x: R, _: R) -> R {
        constant(0.0, x)
    }

    fn cases() -> Vec<Self> {
        vec![Clamp { min: -1.0, max: 0.5 }, Clamp { min: 0.0, max: 6.0 }]
    }

    fn parameters(self) -> [f64; 2] {
        [self.min, self.max]
    }

    fn kinks(self) -> Vec<f64> {
        vec![self.min, self.max]
    }
}
