//! Numbers by vectors, whatever the width that the machine has.

use pulp::{Scalar, Simd};

use super::tile::micro::{Call, run};

/// What products of tiles need of a number; `f32` and `f64`.
#[doc(hidden)]
pub trait Vector: Sized + Copy {
    /// The numbers in 64 bytes: a cache line, and the widest vector there is.
    const LANES: usize;
    /// Some of them side by side.
    type Of<S: Simd>: Copy;

    fn vectors<S: Simd>(simd: S, numbers: &[Self]) -> &[Self::Of<S>];
    fn vectors_mut<S: Simd>(simd: S, numbers: &mut [Self]) -> &mut [Self::Of<S>];
    fn splat<S: Simd>(simd: S, x: Self) -> Self::Of<S>;
    fn add_vectors<S: Simd>(simd: S, x: Self::Of<S>, y: Self::Of<S>) -> Self::Of<S>;
    fn mul_vectors<S: Simd>(simd: S, x: Self::Of<S>, y: Self::Of<S>) -> Self::Of<S>;
    /// x y + z, rounded once where the machine can.
    fn mul_add_vectors<S: Simd>(simd: S, x: Self::Of<S>, y: Self::Of<S>, z: Self::Of<S>) -> Self::Of<S>;
    /// The product with a micro tile that fits the registers of `S`.
    fn product<S: Simd>(simd: S, call: Call<'_, Self>);
}

macro_rules! vector {
    ($t:ident, $lanes:literal, $of:ident, $cast:ident, $cast_mut:ident, $splat:ident, $add:ident, $mul:ident, $mul_add:ident) => {
        impl Vector for $t {
            const LANES: usize = $lanes;
            type Of<S: Simd> = S::$of;

            #[inline(always)]
            fn vectors<S: Simd>(_: S, numbers: &[Self]) -> &[S::$of] {
                S::$cast(numbers).0
            }
            #[inline(always)]
            fn vectors_mut<S: Simd>(_: S, numbers: &mut [Self]) -> &mut [S::$of] {
                S::$cast_mut(numbers).0
            }
            #[inline(always)]
            fn splat<S: Simd>(simd: S, x: Self) -> S::$of {
                simd.$splat(x)
            }
            #[inline(always)]
            fn add_vectors<S: Simd>(simd: S, x: S::$of, y: S::$of) -> S::$of {
                simd.$add(x, y)
            }
            #[inline(always)]
            fn mul_vectors<S: Simd>(simd: S, x: S::$of, y: S::$of) -> S::$of {
                simd.$mul(x, y)
            }
            #[inline(always)]
            fn mul_add_vectors<S: Simd>(simd: S, x: S::$of, y: S::$of, z: S::$of) -> S::$of {
                simd.$mul_add(x, y, z)
            }
            #[inline(always)]
            fn product<S: Simd>(simd: S, call: Call<'_, Self>) {
                // 24 sums in 32 registers, or 8 in 16.
                match 64 / size_of::<S::$of>() {
                    1 => run::<S, Self, $lanes, 1, 3, 8>(simd, call),
                    2 => run::<S, Self, $lanes, 2, 1, 4>(simd, call),
                    4 => run::<S, Self, $lanes, 4, 1, 4>(simd, call),
                    _ => run::<Scalar, Self, $lanes, $lanes, 1, 1>(Scalar, call),
                }
            }
        }
    };
}

vector!(f32, 16, f32s, as_simd_f32s, as_mut_simd_f32s, splat_f32s, add_f32s, mul_f32s, mul_add_f32s);
vector!(f64, 8, f64s, as_simd_f64s, as_mut_simd_f64s, splat_f64s, add_f64s, mul_f64s, mul_add_f64s);
