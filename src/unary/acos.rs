use super::{Asin, Function};
use crate::attributes::Attributes;
use crate::error::Result;
use crate::real::Real;

/// acos(x), the inverse of the cosine, in radians
///
/// The first derivative is -1 / sqrt(1 - x^2). The second is -x / (1 - x^2)^(3/2). At x = -1 and x = 1 the first
/// derivative is -infinity, the second infinity and -infinity. For |x| > 1 all three are NaN.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Acos;

impl Function for Acos {
    fn parse(name: &str, _: &Attributes) -> Option<Result<Self>> {
        (name == Acos.name()).then_some(Ok(Acos))
    }

    fn name(self) -> &'static str {
        "acos"
    }

    #[inline(always)]
    fn value<R: Real>(self, x: R) -> R {
        x.acos()
    }

    #[inline(always)]
    fn first<R: Real>(self, x: R, y: R) -> R {
        -Asin.first(x, y)
    }

    #[inline(always)]
    fn second<R: Real>(self, x: R, y: R) -> R {
        -Asin.second(x, y)
    }

    fn cases() -> Vec<Self> {
        vec![Acos]
    }

    fn kinks(self) -> Vec<f64> {
        vec![-1.0, 1.0]
    }

    fn domain(self) -> [f64; 2] {
        // Away from the ends, where the derivatives grow without bound.
        [-0.6, 0.6]
    }
}
