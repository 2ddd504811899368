//! Numbers with twice the digits, for arguments of the exponential function.
//!
//! The relative error of e^w is the absolute error of w. At w = -80 the rounding of w alone changes e^w by about 40
//! units in the last place, and the left tails of the activations would lose two digits.

use super::Real;
use super::exp::exp_of_sum;

/// The unevaluated sum of a number and its rounding error.
#[derive(Clone, Copy)]
pub(crate) struct Pair<R> {
    pub head: R,
    pub tail: R,
}

impl<R: Real> Pair<R> {
    /// The constant `head + tail`, with more digits than `f64` has.
    #[inline(always)]
    pub fn constant(head: f64, tail: f64) -> Self {
        let rounded = R::from_f64(head);
        Pair { head: rounded, tail: R::from_f64((head - rounded.f64()) + tail) }
    }

    /// a b, exactly (Dekker 1971), unless a product overflows or underflows. The factors must be well inside the range.
    #[inline(always)]
    pub fn product(a: R, b: R) -> Self {
        let head = a * b;
        let ((a_high, a_low), (b_high, b_low)) = (halves(a), halves(b));
        let tail = ((a_high * b_high - head) + a_high * b_low + a_low * b_high) + a_low * b_low;
        Pair { head, tail }
    }

    /// self times x
    #[inline(always)]
    pub fn times(self, x: R) -> Self {
        let Pair { head, tail } = Self::product(self.head, x);
        Self::normal(head, tail + self.tail * x)
    }

    /// self + other
    #[inline(always)]
    pub fn plus(self, other: Self) -> Self {
        // Knuth's exact sum, which works for any order of magnitudes.
        let head = self.head + other.head;
        let theirs = head - self.head;
        let tail = (self.head - (head - theirs)) + (other.head - theirs);
        Self::normal(head, tail + (self.tail + other.tail))
    }

    /// e^self
    #[inline(always)]
    pub fn exp(self) -> R {
        exp_of_sum(self.head, self.tail)
    }

    /// head + tail as a pair whose tail is at most the rounding error of its head. It needs |head| >= |tail|.
    #[inline(always)]
    fn normal(head: R, tail: R) -> Self {
        let sum = head + tail;
        Pair { head: sum, tail: (head - sum) + tail }
    }
}

impl<R: Real> From<R> for Pair<R> {
    #[inline(always)]
    fn from(x: R) -> Self {
        Pair { head: x, tail: R::default() }
    }
}

impl<R: Real> std::ops::Neg for Pair<R> {
    type Output = Self;
    #[inline(always)]
    fn neg(self) -> Self {
        Pair { head: -self.head, tail: -self.tail }
    }
}

/// x as a sum of two numbers with half the digits each. Their products are exact (Veltkamp 1968).
#[inline(always)]
fn halves<R: Real>(x: R) -> (R, R) {
    // 2^12 + 1 for the 24 digits of f32, 2^27 + 1 for the 53 of f64.
    let factor = if R::SINGLE { 4097.0 } else { 134217729.0 };
    let scaled = R::from_f64(factor) * x;
    let high = scaled - (scaled - x);
    (high, x - high)
}
