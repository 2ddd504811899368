use super::{Clamp, Function, constant};
use crate::attributes::Attributes;
use crate::error::Result;
use crate::real::Real;

/// x kept between two bounds, like [`Clamp`], but with the derivative 0 at the bounds themselves
///
/// The first derivative is 1 for min < x < max and 0 elsewhere. The second is 0. PyTorch has these derivatives at the
/// kinks of `hardtanh`, `relu6` and `hardsigmoid`, and those of [`Clamp`] at the kinks of `clamp`.
///
/// At the far ends: min on the left, max on the right.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct HardTanh {
    /// The lower bound: any finite number that `f32` can hold. The attribute `min`, which has no default.
    pub min: f64,
    /// The upper bound: any finite number in the range of `f32` that is at least `min`. The attribute `max`,
    /// which has no default.
    pub max: f64,
}

impl HardTanh {
    fn clamp(self) -> Clamp {
        Clamp { min: self.min, max: self.max }
    }
}

impl Function for HardTanh {
    fn parse(name: &str, attributes: &Attributes) -> Option<Result<Self>> {
        (name == "hard_tanh").then(|| {
            let Clamp { min, max } = Clamp::from_attributes(name, attributes)?;
            Ok(HardTanh { min, max })
        })
    }

    fn name(self) -> &'static str {
        "hard_tanh"
    }

    #[inline(always)]
    fn value<R: Real>(self, x: R) -> R {
        self.clamp().value(x)
    }

    #[inline(always)]
    fn first<R: Real>(self, x: R, _: R) -> R {
        if x <= R::from_f64(self.min) || x >= R::from_f64(self.max) { R::default() } else { constant(1.0, x) }
    }

    #[inline(always)]
    fn second<R: Real>(self, x: R, _: R) -> R {
        constant(0.0, x)
    }

    fn cases() -> Vec<Self> {
        vec![HardTanh { min: -1.0, max: 0.5 }, HardTanh { min: 0.0, max: 6.0 }]
    }

    fn parameters(self) -> [f64; 2] {
        [self.min, self.max]
    }

    fn kinks(self) -> Vec<f64> {
        vec![self.min, self.max]
    }
}
