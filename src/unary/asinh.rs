use std::f64::consts::LN_2;

use super::{Function, limited};
use crate::attributes::Attributes;
use crate::error::Result;
use crate::real::Real;

/// asinh(x), the inverse of sinh
///
/// The first derivative is 1 / sqrt(1 + x^2). The second is -x / (1 + x^2)^(3/2).
///
/// At the far ends the value goes to -infinity and infinity, like ln(2 |x|) with the sign of x, both derivatives to 0.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Asinh;

/// From here on 1 is too small to change x^2 in either precision, and x^2 does not overflow yet.
pub(super) const FAR: f64 = 1e9;
/// Where the derivatives have vanished, and x^2 does not overflow yet.
pub(super) const END: f64 = 1e18;

impl Function for Asinh {
    fn parse(name: &str, _: &Attributes) -> Option<Result<Self>> {
        (name == Asinh.name()).then_some(Ok(Asinh))
    }

    fn name(self) -> &'static str {
        "asinh"
    }

    #[inline(always)]
    fn value<R: Real>(self, x: R) -> R {
        let (size, one) = (x.abs(), R::from_f64(1.0));
        let square = size * size;
        // |x| + sqrt(1 + x^2) - 1, in which nothing cancels.
        let near = (size + square / (one + (one + square).sqrt())).ln_1p();
        let far = size.ln() + R::from_f64(LN_2);
        if size < R::from_f64(FAR) { near } else { far }.with_sign_of(x)
    }

    #[inline(always)]
    fn first<R: Real>(self, x: R, _: R) -> R {
        let x = limited(x, END);
        R::from_f64(1.0) / (R::from_f64(1.0) + x * x).sqrt()
    }

    #[inline(always)]
    fn second<R: Real>(self, x: R, y: R) -> R {
        let first = self.first(x, y);
        -(limited(x, END) * first * (first * first))
    }

    fn cases() -> Vec<Self> {
        vec![Asinh]
    }
}
