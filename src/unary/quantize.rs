use super::{Clamp, Function, constant};
use crate::attributes::Attributes;
use crate::error::Result;
use crate::real::Real;

/// The whole number nearest to x, ties to even, kept between two bounds, with the straight-through derivative
///
/// A step function has the derivative 0 almost everywhere. Quantised networks are trained with another one in its
/// place: 1 where the nearest whole number is between the bounds, 0 elsewhere, as in PyTorch's `fake_quantize`. The
/// second derivative is 0.
///
/// At the far ends: min on the left, max on the right.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Quantize {
    /// The lower bound: a whole number between -2^20 and 2^20. The attribute `min`, which has no default.
    pub min: f64,
    /// The upper bound: an integer from -2^20 to 2^20 that is at least `min`. The attribute `max`, which
    /// has no default.
    pub max: f64,
}

/// So far whole numbers are exact in `f32`, with digits to spare for halves.
const MOST: f64 = (1 << 20) as f64;

impl Function for Quantize {
    fn parse(name: &str, attributes: &Attributes) -> Option<Result<Self>> {
        (name == "quantize").then(|| {
            let Clamp { min, max } = Clamp::from_attributes(name, attributes)?;
            if let Some(bound) = [min, max].into_iter().find(|bound| bound.fract() != 0.0 || bound.abs() > MOST) {
                return Err(crate::Error::value(format!(
                    "{name}: the bound {bound} is not a whole number between -{MOST} and {MOST}"
                )));
            }
            Ok(Quantize { min, max })
        })
    }

    fn name(self) -> &'static str {
        "quantize"
    }

    #[inline(always)]
    fn value<R: Real>(self, x: R) -> R {
        // The bounds are whole, so that it does not matter which is done first.
        constant(Clamp { min: self.min, max: self.max }.value(x).nearest_integer().f64(), x)
    }

    #[inline(always)]
    fn first<R: Real>(self, x: R, _: R) -> R {
        let nearest = Clamp { min: self.min - 1.0, max: self.max + 1.0 }.value(x).nearest_integer();
        let inside = nearest >= R::from_f64(self.min) && nearest <= R::from_f64(self.max);
        constant(if inside { 1.0 } else { 0.0 }, x)
    }

    #[inline(always)]
    fn second<R: Real>(self, x: R, _: R) -> R {
        constant(0.0, x)
    }

    fn cases() -> Vec<Self> {
        vec![Quantize { min: -2.0, max: 1.0 }, Quantize { min: 0.0, max: 255.0 }]
    }

    fn parameters(self) -> [f64; 2] {
        [self.min, self.max]
    }

    fn kinks(self) -> Vec<f64> {
        vec![self.min - 0.5, self.max + 0.5]
    }

    fn domain(self) -> [f64; 2] {
        // Inside of the bounds the derivative is not that of the value.
        [self.max + 1.0, f64::INFINITY]
    }
}
