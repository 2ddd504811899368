use super::{Function, constant, parameter};
use crate::attributes::Attributes;
use crate::error::{Error, Result};
use crate::real::Real;

/// x kept between two bounds: min for x < min, max for x > max, x itself between them
///
/// First derivative 1 for min <= x <= max and 0 outside, second 0. At the kinks, x = min and x = max, the first
/// derivative is the inner side's, 1, as in PyTorch; it is so even where min = max.
///
/// At the far ends: min on the left, max on the right.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Clamp {
    /// The lower bound: any finite number that `f32` can hold. The attribute `min`, which has no default.
    pub min: f64,
    /// The upper bound: any finite number that `f32` can hold and that is no smaller than `min`. The attribute `max`,
    /// which has no default.
    pub max: f64,
}

impl Function for Clamp {
    fn parse(name: &str, attributes: &Attributes) -> Option<Result<Self>> {
        (name == "clamp").then(|| {
            let (min, max) = (parameter(name, attributes, "min")?, parameter(name, attributes, "max")?);
            match min <= max {
                true => Ok(Clamp { min, max }),
                false => Err(Error::value(format!("{name}: attribute 'min' is {min}, above 'max', which is {max}"))),
            }
        })
    }

    fn name(self) -> &'static str {
        "clamp"
    }

    #[inline(always)]
    fn value<R: Real>(self, x: R) -> R {
        let (min, max) = (R::from_f64(self.min), R::from_f64(self.max));
        // Asked this way round, NaN stays NaN.
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
