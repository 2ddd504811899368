use super::{Function, constant, parameter};
use crate::attributes::Attributes;
use crate::error::Result;
use crate::real::Real;

/// x^p for a fixed exponent p and x >= 0
///
/// The first derivative is p x^(p - 1). The second is p (p - 1) x^(p - 2). At x = 0 (of either sign) all three are what
/// these powers of 0 are, 0 or infinite. For x < 0 all three are NaN, also for whole exponents: products of x are
/// cheaper there.
///
/// At the far end: what these powers of infinity are.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Pow {
    /// p: any finite number that `f32` can hold. The attribute `exponent`, which has no default.
    pub exponent: f64,
}

impl Function for Pow {
    fn parse(name: &str, attributes: &Attributes) -> Option<Result<Self>> {
        (name == "pow").then(|| Ok(Pow { exponent: parameter(name, attributes, "exponent")? }))
    }

    fn name(self) -> &'static str {
        "pow"
    }

    #[inline(always)]
    fn value<R: Real>(self, x: R) -> R {
        multiple_of_power(1.0, x, self.exponent, 0.0)
    }

    #[inline(always)]
    fn first<R: Real>(self, x: R, _: R) -> R {
        multiple_of_power(self.exponent, x, self.exponent, 1.0)
    }

    #[inline(always)]
    fn second<R: Real>(self, x: R, _: R) -> R {
        multiple_of_power(self.exponent * (self.exponent - 1.0), x, self.exponent, 2.0)
    }

    fn cases() -> Vec<Self> {
        vec![Pow { exponent: 1.75 }, Pow { exponent: -0.4 }]
    }

    fn parameters(self) -> [f64; 2] {
        // The rest of the exponent that f32 cannot hold counts.
        [self.exponent, self.exponent - f64::from(self.exponent as f32)]
    }

    fn kinks(self) -> Vec<f64> {
        vec![0.0]
    }

    fn domain(self) -> [f64; 2] {
        // Away from 0, where the derivatives may grow without bound.
        [0.5, 2.5]
    }
}

/// factor x^(exponent - less), and NaN for x < 0.
#[inline(always)]
fn multiple_of_power<R: Real>(factor: f64, x: R, exponent: f64, less: f64) -> R {
    // In f64, as the logarithm of x would enlarge the rounding of a power in f32. Without its sign, as -0 is 0 here.
    let size = x.abs().f64();
    let power = exponent - less;
    // What rounding took from the power, which counts for the same reason.
    let moved = power - exponent;
    let lost = (exponent - (power - moved)) - (less + moved);
    let correction = 1.0 + lost * size.clamp(f64::MIN_POSITIVE, f64::MAX).ln();
    let y = factor * size.powf(power) * correction;
    if x < R::default() {
        R::from_f64(f64::NAN)
    } else if factor == 0.0 {
        // An infinite power times 0 would be NaN.
        constant(0.0, x)
    } else {
        R::from_f64(y)
    }
}
