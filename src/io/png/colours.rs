//! The colour scale: the colour of a number.

use super::apart;
use super::canvas::Colour;
use super::ticks::{self, Ticks};

/// The colours from the number `lo` to the number `hi`.
pub(super) struct Colours {
    lo: f64,
    hi: f64,
    diverging: bool,
}

impl Colours {
    /// The colours over `range`, or from the smallest to the largest of `numbers`. A diverging scale is symmetric around
    /// 0.
    pub(super) fn spanning<'a>(
        numbers: impl Iterator<Item = &'a f64>,
        range: Option<(f64, f64)>,
        diverging: bool,
    ) -> Self {
        let extremes = || numbers.fold((f64::MAX, f64::MIN), |(lo, hi), &x| (x.min(lo), x.max(hi)));
        let (lo, hi) = range.unwrap_or_else(extremes);
        let far = lo.abs().max(hi.abs());
        let (lo, hi) = if diverging { (-far, far) } else { (lo, hi) };
        if apart(lo, hi) {
            return Colours { lo, hi, diverging };
        }
        // All numbers are equal up to rounding: the number is in the middle of the bar.
        let reach = if far > 1e-280 { far / 2.0 } else { 1.0 };
        Colours { lo: lo - reach, hi: hi + reach, diverging }
    }

    /// The position of a number, from 0 to 1. Rounding or the caller's range may put it outside.
    fn position(&self, value: f64) -> f64 {
        (value - self.lo) / (self.hi - self.lo)
    }

    /// The colour of a number.
    pub(super) fn colour(&self, value: f64) -> Colour {
        self.at(self.position(value))
    }

    /// The colour at a position. Positions outside of 0 to 1 are clamped.
    pub(super) fn at(&self, position: f64) -> Colour {
        let colour = if self.diverging {
            colorous::RED_BLUE.eval_continuous(1.0 - position)
        } else {
            colorous::VIRIDIS.eval_continuous(position)
        };
        [colour.r, colour.g, colour.b]
    }

    /// The ticks of the bar, at positions from 0 at its bottom to 1 at its top.
    pub(super) fn ticks(&self) -> Ticks {
        let mut scale = ticks::ticks(self.lo, self.hi, 6);
        for (value, _) in &mut scale.marks {
            *value = self.position(*value);
        }
        scale
    }
}
