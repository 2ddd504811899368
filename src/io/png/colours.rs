//! Which number has which colour.

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
    /// The colours over `range`, or from the least to the largest of `numbers`; equally far to both sides of 0 if they
    /// diverge.
    pub(super) fn spanning<'a>(
        numbers: impl Iterator<Item = &'a f64>,
        range: Option<(f64, f64)>,
        diverging: bool,
    ) -> Self {
        let own = || numbers.fold((f64::MAX, f64::MIN), |(lo, hi), &x| (x.min(lo), x.max(hi)));
        let (lo, hi) = range.unwrap_or_else(own);
        let far = lo.abs().max(hi.abs());
        let (lo, hi) = if diverging { (-far, far) } else { (lo, hi) };
        if apart(lo, hi) {
            return Colours { lo, hi, diverging };
        }
        // One number only, but for rounding: it is in the middle of the bar.
        let reach = if far > 1e-280 { far / 2.0 } else { 1.0 };
        Colours { lo: lo - reach, hi: hi + reach, diverging }
    }

    /// From 0 to 1. The least entry may be below by rounding, or by the caller's range.
    fn position(&self, value: f64) -> f64 {
        (value - self.lo) / (self.hi - self.lo)
    }

    pub(super) fn of(&self, value: f64) -> Colour {
        self.at(self.position(value))
    }

    /// The colour at a position, which the gradient clamps.
    pub(super) fn at(&self, position: f64) -> Colour {
        let colour = match self.diverging {
            true => colorous::RED_BLUE.eval_continuous(1.0 - position),
            false => colorous::VIRIDIS.eval_continuous(position),
        };
        [colour.r, colour.g, colour.b]
    }

    /// The ticks of the bar, at positions from its bottom, 0, to its top, 1.
    pub(super) fn ticks(&self) -> Ticks {
        let mut scale = ticks::ticks(self.lo, self.hi, 6);
        for (value, _) in &mut scale.marks {
            *value = self.position(*value);
        }
        scale
    }
}
