use std::f64::consts::FRAC_1_SQRT_2;

use super::sigmoid::{both_sides, times_sigmoid};
use super::{Function, Visit, limited};
use crate::attributes::Attributes;
use crate::error::{Error, Result};
use crate::real::{Pair, Real, erf_near_zero, scaled_erfc};

/// x P(x), where P(x) = (1 + erf(x / sqrt(2))) / 2 is the normal distribution, or its approximation by tanh
///
/// The density is p(x) = e^(-x^2/2) / sqrt(2 pi). The first derivative is P(x) + x p(x). The second is p(x) (2 - x^2).
///
/// The approximation is x/2 (1 + tanh u) with u = sqrt(2/pi) (x + 0.044715 x^3). It equals x s with s = sigmoid(w) and
/// w = 2 u. Its first derivative is s + x s (1 - s) w'. The second is s (1 - s) (2 w' + x w'' + x (1 - 2 s) w'^2).
///
/// On the far left the value goes to -0 (like -e^(-x^2/2), or like x e^w) and both derivatives to 0. On the far right
/// the value goes to x, and the derivatives to 1 and 0.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Gelu {
    /// True for the approximation by tanh. The attribute `approximate`: `none` (the default) or `tanh`.
    pub approximate: bool,
}

impl Function for Gelu {
    fn parse(name: &str, attributes: &Attributes) -> Option<Result<Self>> {
        (name == "gelu").then(|| match attributes.text_or("approximate", "none") {
            Ok("none") => Ok(Gelu { approximate: false }),
            Ok("tanh") => Ok(Gelu { approximate: true }),
            Ok(other) => Err(Error::value(format!(
                "gelu: attribute 'approximate' is '{other}', but must be 'none' or 'tanh'"
            ))),
            Err(error) => Err(error.context(name)),
        })
    }

    fn name(self) -> &'static str {
        "gelu"
    }

    #[inline(always)]
    fn value<R: Real>(self, x: R) -> R {
        if self.approximate { Form::<true>.value(x) } else { Form::<false>.value(x) }
    }

    #[inline(always)]
    fn first<R: Real>(self, x: R, y: R) -> R {
        if self.approximate { Form::<true>.first(x, y) } else { Form::<false>.first(x, y) }
    }

    #[inline(always)]
    fn second<R: Real>(self, x: R, y: R) -> R {
        if self.approximate { Form::<true>.second(x, y) } else { Form::<false>.second(x, y) }
    }

    fn visit<V: Visit>(self, visitor: V) -> V::Output {
        if self.approximate { visitor.visit(Form::<true>) } else { visitor.visit(Form::<false>) }
    }

    fn shader(self) -> Option<&'static str> {
        self.approximate.then_some(include_str!("../../shaders/unary/gelu_tanh.wgsl"))
    }

    fn cases() -> Vec<Self> {
        vec![Gelu { approximate: false }, Gelu { approximate: true }]
    }
}

/// The function with a fixed formula.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Form<const APPROXIMATE: bool>;

impl<const APPROXIMATE: bool> Function for Form<APPROXIMATE> {
    /// Descriptions are parsed as `Gelu`.
    fn parse(_: &str, _: &Attributes) -> Option<Result<Self>> {
        None
    }

    fn name(self) -> &'static str {
        Gelu { approximate: APPROXIMATE }.name()
    }

    #[inline(always)]
    fn value<R: Real>(self, x: R) -> R {
        if APPROXIMATE { by_tanh::value(x) } else { exact::value(x) }
    }

    #[inline(always)]
    fn first<R: Real>(self, x: R, y: R) -> R {
        if APPROXIMATE { by_tanh::first(x) } else { exact::first(x, y) }
    }

    #[inline(always)]
    fn second<R: Real>(self, x: R, _: R) -> R {
        if APPROXIMATE { by_tanh::second(x) } else { exact::second(x) }
    }

    fn cases() -> Vec<Self> {
        vec![Form]
    }
}

/// x P(x)
mod exact {
    use super::*;

    /// At this x, e^(-x^2/2) is 0, also times x^2.
    const END: f64 = 100.0;

    /// max(x, 0) - |x| P(-|x|), for both signs of x. Nothing cancels, since the second term is at most half of the
    /// first. P(-|x|) is e^(-x^2/2) s / 2 with s = e^(z^2) erfc(z) and z = |x| / sqrt(2). Since s is at most 1, no
    /// intermediate number underflows before the result does.
    #[inline(always)]
    pub fn value<R: Real>(x: R) -> R {
        let (zero, half) = (R::default(), R::from_f64(0.5));
        // -0 on the far left, the sign from which the value approaches 0.
        let positive_part = if x < zero { -zero } else { x };
        let size = limited(x, END).abs();
        let root = R::from_f64(FRAC_1_SQRT_2);
        let weight = half * size * scaled_erfc(root * size);
        let Pair { head, tail } = Pair::product(size, size);
        let exponent = Pair { head: -(half * head), tail: -(half * tail) };
        let far = positive_part - exponent.exp() * weight;
        // Near 0 these roundings are as large as that of the result. There erf, which is small, is used directly.
        let near = half * x + half * x * erf_near_zero(root * x);
        if size < R::from_f64(0.7) { near } else { far }
    }

    #[inline(always)]
    pub fn first<R: Real>(x: R, y: R) -> R {
        // P(x) is y / x, which saves the costly erfc, unless y may be subnormal or infinite.
        let near_zero = R::from_f64(0.5) + R::from_f64(FRAC_1_SQRT_2PI) * x;
        let distribution = if x > R::from_f64(END) { R::from_f64(1.0) } else { y / x };
        let distribution = if x.abs() < R::from_f64(1e-5) { near_zero } else { distribution };
        let x = limited(x, END);
        distribution + x * density(x)
    }

    #[inline(always)]
    pub fn second<R: Real>(x: R) -> R {
        let x = limited(x, END);
        density(x) * (R::from_f64(2.0) - x * x)
    }

    /// p(x)
    #[inline(always)]
    fn density<R: Real>(x: R) -> R {
        R::from_f64(FRAC_1_SQRT_2PI) * (R::from_f64(-0.5) * x * x).exp()
    }

    /// 1 / sqrt(2 pi)
    const FRAC_1_SQRT_2PI: f64 = 0.3989422804014327;
}

/// x sigmoid(w), where w = A x + B x^3
mod by_tanh {
    use super::*;

    /// At this x, sigmoid(-|w|) is 0, also times x^6.
    const END: f64 = 30.0;

    /// 2 sqrt(2 / pi), and its difference to the nearest `f64`
    const A: (f64, f64) = (1.5957691216057308, -9.96930880911092e-17);
    /// 0.044715 A, and its difference to the nearest `f64`
    const B: (f64, f64) = (0.07135481627260025, -6.175149918155315e-19);

    #[inline(always)]
    pub fn value<R: Real>(x: R) -> R {
        let inner = limited(x, END);
        // The left tail, where sigmoid(w) is e^w, needs the pair.
        let linear = Pair::constant(A.0, A.1);
        let w = Pair::constant(B.0, B.1).times(inner).times(inner).plus(linear).times(inner);
        times_sigmoid(if x < inner { inner } else { x }, w)
    }

    #[inline(always)]
    pub fn first<R: Real>(x: R) -> R {
        let x = limited(x, END);
        let (w, slope) = exponent(x);
        let (s, rest) = both_sides(w);
        s * (R::from_f64(1.0) + x * rest * slope)
    }

    #[inline(always)]
    pub fn second<R: Real>(x: R) -> R {
        let x = limited(x, END);
        let (w, slope) = exponent(x);
        let (s, rest) = both_sides(w);
        let curvature = R::from_f64(6.0 * B.0) * x;
        s * rest * (R::from_f64(2.0) * slope + x * (curvature + (rest - s) * slope * slope))
    }

    /// w and w'
    #[inline(always)]
    fn exponent<R: Real>(x: R) -> (R, R) {
        let b_square = R::from_f64(B.0) * x * x;
        ((R::from_f64(A.0) + b_square) * x, R::from_f64(A.0) + R::from_f64(3.0) * b_square)
    }
}
