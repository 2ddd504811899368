use super::{Function, constant, parameter};
use crate::attributes::Attributes;
use crate::error::Result;
use crate::real::Real;

/// x for x > 0, alpha (e^x - 1) for x <= 0
///
/// The first derivative is 1 for x > 0 and alpha e^x for x <= 0. The second is 0 for x > 0 and alpha e^x for x <= 0. At
/// the kink, x = 0, both are those of the left side, alpha, as in PyTorch.
///
/// On the far left the value goes to -alpha and both derivatives to 0. On the far right the value is x.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Elu {
    /// The depth of the left side: any finite number in the range of `f32`. The attribute `alpha`, without default.
    pub alpha: f64,
}

impl Function for Elu {
    fn parse(name: &str, attributes: &Attributes) -> Option<Result<Self>> {
        (name == "elu").then(|| Ok(Elu { alpha: parameter(name, attributes, "alpha")? }))
    }

    fn name(self) -> &'static str {
        "elu"
    }

    #[inline(always)]
    fn value<R: Real>(self, x: R) -> R {
        // Computed before the selection, so that loops have no branch.
        let left = R::from_f64(self.alpha) * x.exp_m1();
        if x <= R::default() { left } else { x }
    }

    #[inline(always)]
    fn first<R: Real>(self, x: R, y: R) -> R {
        if x <= R::default() { y + R::from_f64(self.alpha) } else { constant(1.0, x) }
    }

    #[inline(always)]
    fn second<R: Real>(self, x: R, y: R) -> R {
        if x <= R::default() { y + R::from_f64(self.alpha) } else { constant(0.0, x) }
    }

    fn cases() -> Vec<Self> {
        vec![Elu { alpha: 1.0 }, Elu { alpha: 0.3 }]
    }

    fn parameters(self) -> [f64; 2] {
        [self.alpha, 0.0]
    }

    fn kinks(self) -> Vec<f64> {
        vec![0.0]
    }
}
