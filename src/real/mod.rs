//! The numbers the crate computes with: `f32` and `f64`.

use std::cell::RefCell;
use std::fmt::{Debug, Display};
use std::iter::Sum;
use std::ops::{Add, AddAssign, Div, Mul, MulAssign, Neg, Sub};
use std::thread::LocalKey;

mod bits;
pub(crate) mod buffer_pool;
mod erf;
mod exp;
pub(crate) mod gemm;
mod ln;
mod pair;
mod polynomial;
mod tanh;
#[cfg(test)]
mod tests;
pub(crate) mod vector;

pub(crate) use erf::{erf_near_zero, scaled_erfc};
pub(crate) use pair::Pair;
pub(crate) use vector::vectorised;

use buffer_pool::BufferPool;
use gemm::Gemm;
use vector::Vector;

/// A floating point number: `f32` or `f64`. The trait is sealed.
///
/// The functions are those that the activations in [`unary`](crate::unary) need. Each is accurate to a few units in the
/// last place over the whole range. All except the trigonometric ones, which are the standard library's, are implemented
/// here with additions, products, divisions, shifts and selections. So loops over them are vectorised, and their bits are
/// the same on every machine.
pub trait Real:
    Copy
    + PartialEq
    + PartialOrd
    + Default
    + Debug
    + Display
    + Send
    + Sync
    + 'static
    + bytemuck::Pod
    + Sum
    + Add<Output = Self>
    + Sub<Output = Self>
    + Mul<Output = Self>
    + Div<Output = Self>
    + Neg<Output = Self>
    + AddAssign
    + MulAssign
    + Vector
    + bits::Bits
{
    /// `"f32"` or `"f64"`.
    const NAME: &'static str;
    /// The distance from 1 to the next larger number.
    const EPSILON: Self;

    /// The nearest number to `x`.
    fn from_f64(x: f64) -> Self;
    /// The same value as `f64`, exactly.
    fn f64(self) -> f64;
    /// True unless the number is NaN or infinite.
    fn is_finite(self) -> bool;
    /// x a + b, rounded once.
    fn mul_add(self, a: Self, b: Self) -> Self;
    /// |x|
    fn abs(self) -> Self;
    /// e^x
    fn exp(self) -> Self;
    /// e^x - 1, accurate near 0.
    fn exp_m1(self) -> Self;
    /// ln(x)
    fn ln(self) -> Self;
    /// ln(1 + x), accurate near 0.
    fn ln_1p(self) -> Self;
    /// sqrt(x)
    fn sqrt(self) -> Self;
    /// The largest integer that is not above x.
    fn floor(self) -> Self;
    /// The integer nearest to x, and of two the even one.
    fn round(self) -> Self;
    /// sin(x)
    fn sin(self) -> Self;
    /// cos(x)
    fn cos(self) -> Self;
    /// tan(x)
    fn tan(self) -> Self;
    /// The angle between -pi/2 and pi/2 whose sine is x.
    fn asin(self) -> Self;
    /// The angle between 0 and pi whose cosine is x.
    fn acos(self) -> Self;
    /// The angle between -pi/2 and pi/2 whose tangent is x.
    fn atan(self) -> Self;
    /// tanh(x)
    fn tanh(self) -> Self;
    /// erf(x)
    fn erf(self) -> Self;
    /// 1 - erf(x), accurate where erf(x) is near 1.
    fn erfc(self) -> Self;

    #[doc(hidden)]
    fn gemm(call: Gemm<'_, Self>);
    #[doc(hidden)]
    fn buffer_pool() -> &'static LocalKey<RefCell<BufferPool<Self>>>;
}

/// ln(2) as a head, whose product with any exponent is exact, and a tail.
#[inline(always)]
fn ln2<R: Real>() -> (R, R) {
    let (head, tail) = if R::SINGLE {
        (0.693145751953125, 1.4286068203094173e-06)
    } else {
        (0.6931471805601177, -1.7239444525614835e-13)
    };
    (R::from_f64(head), R::from_f64(tail))
}

macro_rules! real {
    ($t:ident) => {
        impl Real for $t {
            const NAME: &'static str = stringify!($t);
            const EPSILON: Self = $t::EPSILON;

            #[inline(always)]
            fn from_f64(x: f64) -> Self {
                x as $t
            }
            #[inline(always)]
            fn f64(self) -> f64 {
                self as f64
            }
            #[inline(always)]
            fn is_finite(self) -> bool {
                $t::is_finite(self)
            }
            #[inline(always)]
            fn mul_add(self, a: Self, b: Self) -> Self {
                $t::mul_add(self, a, b)
            }
            #[inline(always)]
            fn abs(self) -> Self {
                $t::abs(self)
            }
            #[inline(always)]
            fn exp(self) -> Self {
                exp::exp(self)
            }
            #[inline(always)]
            fn exp_m1(self) -> Self {
                exp::exp_m1(self)
            }
            #[inline(always)]
            fn ln(self) -> Self {
                ln::ln(self)
            }
            #[inline(always)]
            fn ln_1p(self) -> Self {
                ln::ln_1p(self)
            }
            #[inline(always)]
            fn sqrt(self) -> Self {
                $t::sqrt(self)
            }
            #[inline(always)]
            fn floor(self) -> Self {
                $t::floor(self)
            }
            #[inline(always)]
            fn round(self) -> Self {
                $t::round_ties_even(self)
            }
            #[inline(always)]
            fn sin(self) -> Self {
                $t::sin(self)
            }
            #[inline(always)]
            fn cos(self) -> Self {
                $t::cos(self)
            }
            #[inline(always)]
            fn tan(self) -> Self {
                $t::tan(self)
            }
            #[inline(always)]
            fn asin(self) -> Self {
                $t::asin(self)
            }
            #[inline(always)]
            fn acos(self) -> Self {
                $t::acos(self)
            }
            #[inline(always)]
            fn atan(self) -> Self {
                $t::atan(self)
            }
            #[inline(always)]
            fn tanh(self) -> Self {
                tanh::tanh(self)
            }
            #[inline(always)]
            fn erf(self) -> Self {
                erf::erf(self)
            }
            #[inline(always)]
            fn erfc(self) -> Self {
                erf::erfc(self)
            }
            fn gemm(call: Gemm<'_, Self>) {
                gemm::by_faer(call);
            }
            fn buffer_pool() -> &'static LocalKey<RefCell<BufferPool<Self>>> {
                thread_local! {
                    static POOL: RefCell<BufferPool<$t>> = const { RefCell::new(BufferPool::new()) };
                }
                &POOL
            }
        }
    };
}

real!(f32);
real!(f64);
