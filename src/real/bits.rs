//! The binary form and the precision of numbers, for the elementary functions.
//!
//! The functions use only additions and shifts, so loops over numbers are vectorised.

/// The binary form of a [`Real`](super::Real). It seals that trait.
pub trait Bits: Copy {
    /// True for `f32`.
    const SINGLE: bool;

    /// |self| with the sign of `x`.
    fn with_sign_of(self, x: Self) -> Self;

    /// The integer nearest to `self`, with ties to even. `self` must be far below the largest number with a fraction.
    fn nearest_integer(self) -> Self;

    /// 2^self, where `self` is an integer and the result is a normal number.
    fn power_of_two(self) -> Self;

    /// k and m with self = 2^k m and sqrt(1/2) <= m < sqrt(2), for a positive, finite, normal number. For other numbers
    /// the result is undefined.
    fn exponent_and_fraction(self) -> (Self, Self);
}

macro_rules! bits {
    ($t:ident, $single:literal) => {
        impl Bits for $t {
            const SINGLE: bool = $single;

            #[inline(always)]
            fn with_sign_of(self, x: Self) -> Self {
                self.copysign(x)
            }

            #[inline(always)]
            fn nearest_integer(self) -> Self {
                // Around this number, 3/2 2^DIGITS, the distance between neighbouring numbers is 1.
                const UNITS: $t = 1.5 / $t::EPSILON;
                (self + UNITS) - UNITS
            }

            #[inline(always)]
            fn power_of_two(self) -> Self {
                // The last bits of this sum are self + bias. Shifted to the exponent, they are 2^self.
                const BIASED: $t = 1.5 / $t::EPSILON + ($t::MAX_EXP - 1) as $t;
                Self::from_bits((self + BIASED).to_bits() << ($t::MANTISSA_DIGITS - 1))
            }

            #[inline(always)]
            fn exponent_and_fraction(self) -> (Self, Self) {
                const DIGITS: u32 = $t::MANTISSA_DIGITS - 1;
                const ONE: $t = 1.0;
                const UNITS: $t = 1.5 / $t::EPSILON;
                const ROOT: $t = std::f64::consts::FRAC_1_SQRT_2 as $t;
                // Shifts the point where the exponent increases from 1 to sqrt(1/2).
                let shifted = self.to_bits().wrapping_add(ONE.to_bits() - ROOT.to_bits());
                let biased = Self::from_bits(UNITS.to_bits() + (shifted >> DIGITS));
                let fraction = shifted & ((1 << DIGITS) - 1);
                (biased - (UNITS + ($t::MAX_EXP - 1) as $t), Self::from_bits(fraction + ROOT.to_bits()))
            }
        }
    };
}

bits!(f32, true);
bits!(f64, false);
