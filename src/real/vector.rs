//! SIMD vectors of numbers, of the width that the machine has.

use pulp::Simd;

/// Runs a loop over entries, compiled for the widest vectors of the machine. Functions that the loop calls must be
/// inlined.
#[inline(always)]
pub(crate) fn vectorised<T>(run: impl FnOnce() -> T) -> T {
    pulp::Arch::new().dispatch(run)
}

/// The SIMD operations that products of tiles need, for `f32` and `f64`.
#[doc(hidden)]
pub trait Vector: Sized + Copy {
    /// The count of numbers in 64 bytes: a cache line, and the widest vector of any machine.
    const LANES: usize;
    /// One SIMD vector of numbers.
    type Register<S: Simd>: Copy;

    fn vectors<S: Simd>(simd: S, numbers: &[Self]) -> &[Self::Register<S>];
    fn vectors_mut<S: Simd>(simd: S, numbers: &mut [Self]) -> &mut [Self::Register<S>];
    fn splat<S: Simd>(simd: S, x: Self) -> Self::Register<S>;
    fn add_vectors<S: Simd>(simd: S, x: Self::Register<S>, y: Self::Register<S>) -> Self::Register<S>;
    fn mul_vectors<S: Simd>(simd: S, x: Self::Register<S>, y: Self::Register<S>) -> Self::Register<S>;
    /// x y + z, rounded once if the machine has the instruction.
    fn mul_add_vectors<S: Simd>(
        simd: S,
        x: Self::Register<S>,
        y: Self::Register<S>,
        z: Self::Register<S>,
    ) -> Self::Register<S>;
}

macro_rules! vector {
    ($t:ident, $lanes:literal, $register:ident, $cast:ident, $cast_mut:ident, $splat:ident, $add:ident, $mul:ident, $mul_add:ident) => {
        impl Vector for $t {
            const LANES: usize = $lanes;
            type Register<S: Simd> = S::$register;

            #[inline(always)]
            fn vectors<S: Simd>(_: S, numbers: &[Self]) -> &[S::$register] {
                S::$cast(numbers).0
            }
            #[inline(always)]
            fn vectors_mut<S: Simd>(_: S, numbers: &mut [Self]) -> &mut [S::$register] {
                S::$cast_mut(numbers).0
            }
            #[inline(always)]
            fn splat<S: Simd>(simd: S, x: Self) -> S::$register {
                simd.$splat(x)
            }
            #[inline(always)]
            fn add_vectors<S: Simd>(simd: S, x: S::$register, y: S::$register) -> S::$register {
                simd.$add(x, y)
            }
            #[inline(always)]
            fn mul_vectors<S: Simd>(simd: S, x: S::$register, y: S::$register) -> S::$register {
                simd.$mul(x, y)
            }
            #[inline(always)]
            fn mul_add_vectors<S: Simd>(simd: S, x: S::$register, y: S::$register, z: S::$register) -> S::$register {
                simd.$mul_add(x, y, z)
            }
        }
    };
}

vector!(f32, 16, f32s, as_simd_f32s, as_mut_simd_f32s, splat_f32s, add_f32s, mul_f32s, mul_add_f32s);
vector!(f64, 8, f64s, as_simd_f64s, as_mut_simd_f64s, splat_f64s, add_f64s, mul_f64s, mul_add_f64s);
