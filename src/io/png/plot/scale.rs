//! The axes of plots: positions of numbers, and ticks.

use crate::io::png::apart;
use crate::io::png::ticks;

/// The spacing of numbers along an axis.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Spacing {
    #[default]
    Linear,
    /// The position is the logarithm of the number.
    Log,
    /// The position is the logarithm of one plus the number.
    LogPlusOne,
}

impl Spacing {
    /// The position of a number. `None` if the axis cannot show it.
    pub(super) fn place(self, value: f64) -> Option<f64> {
        match self {
            Spacing::Linear => Some(value),
            Spacing::Log => (value > 0.0).then(|| value.log10()),
            Spacing::LogPlusOne => (value >= 0.0).then(|| value.ln_1p() / std::f64::consts::LN_10),
        }
    }

    /// The number at a position.
    fn value(self, place: f64) -> f64 {
        match self {
            Spacing::Linear => place,
            Spacing::Log => 10f64.powf(place),
            Spacing::LogPlusOne => (place * std::f64::consts::LN_10).exp_m1(),
        }
    }
}

/// An axis: its span and its ticks.
pub(super) struct Scale {
    lo: f64,
    hi: f64,
    /// Position and label, ascending.
    pub(super) marks: Vec<(f64, String)>,
    /// The factor of the labels as text. Empty without a factor.
    pub(super) factor: String,
}

impl Scale {
    /// The axis over positions from `lo` to `hi` on `length` pixels. If the two are equal, the axis extends around them.
    /// `room` returns the length of a label along the axis, including a gap.
    pub(super) fn new(spacing: Spacing, (lo, hi): (f64, f64), length: usize, room: impl Fn(&str) -> usize) -> Self {
        let (lo, hi) = match (apart(lo, hi), spacing) {
            (true, _) => (lo, hi),
            (false, Spacing::Linear) => (lo - (lo.abs() / 2.0).max(0.5), lo + (lo.abs() / 2.0).max(0.5)),
            (false, Spacing::Log) => (lo - 0.5, lo + 0.5),
            (false, Spacing::LogPlusOne) => ((lo - 0.5).max(0.0), lo + 0.5),
        };
        let mut scale = Scale { lo, hi, marks: Vec::new(), factor: String::new() };
        match spacing {
            Spacing::Log if hi - lo >= 1.0 => scale.marks = decades(lo, hi),
            Spacing::LogPlusOne if hi - lo >= 1.0 => scale.marks = zero_and_powers(lo, hi),
            // Plain numbers at their positions.
            _ => {
                let most = (length / room("0000.0")).clamp(2, 6);
                let ticks = ticks::ticks(spacing.value(lo), spacing.value(hi), most);
                let placed = ticks.marks.into_iter().filter_map(|(value, label)| Some((spacing.place(value)?, label)));
                scale.marks = placed.collect();
                scale.factor = match ticks.exponent {
                    0 => String::new(),
                    exponent => format!("times {:e}", 10f64.powi(exponent)),
                };
            }
        }
        scale.thin(length, room);
        scale
    }

    /// Removes marks whose labels would overlap the previous label.
    fn thin(&mut self, length: usize, room: impl Fn(&str) -> usize) {
        let mut previous: Option<(f64, usize)> = None;
        let mut kept = Vec::new();
        for (place, label) in std::mem::take(&mut self.marks) {
            let pixel = (place - self.lo) / (self.hi - self.lo) * length as f64;
            let needed = room(&label);
            if previous.is_none_or(|(before, taken)| pixel - before >= (needed + taken) as f64 / 2.0) {
                previous = Some((pixel, needed));
                kept.push((place, label));
            }
        }
        self.marks = kept;
    }

    /// The position from 0 to 1 within the axis.
    pub(super) fn position(&self, place: f64) -> f64 {
        // Larger values are outside of any picture. The bounds keep them finite.
        ((place - self.lo) / (self.hi - self.lo)).clamp(-1e6, 1e6)
    }
}

/// Powers of ten between two logarithms. Long spans skip some of them, and short spans add 2 and 5 times the powers.
fn decades(lo: f64, hi: f64) -> Vec<(f64, String)> {
    let every = ((hi - lo) / 8.0).ceil() as i64;
    let powers = (lo.floor() as i64..=hi.floor() as i64).filter(|power| power.rem_euclid(every) == 0);
    let digits: &[u32] = if hi.floor() - lo.ceil() >= 2.0 { &[1] } else { &[1, 2, 5] };
    let marks = powers
        .flat_map(|power| digits.iter().map(move |digit| (power as f64 + f64::from(*digit).log10(), digit, power)));
    let marks = marks.filter(|(place, ..)| (lo..=hi).contains(place));
    marks.map(|(place, digit, power)| (place, format!("{digit}e{power}"))).collect()
}

/// 0 and powers of ten from 1 on, between two positions of [`Spacing::LogPlusOne`].
fn zero_and_powers(lo: f64, hi: f64) -> Vec<(f64, String)> {
    let every = ((hi - lo) / 8.0).ceil() as i32;
    let powers = (0..=hi.floor() as i32).filter(|power| power % every == 0);
    let label = |power: i32| if power <= 4 { 10u32.pow(power as u32).to_string() } else { format!("1e{power}") };
    let place = |power: i32| Spacing::LogPlusOne.place(10f64.powi(power));
    let marks = powers.filter_map(|power| Some((place(power)?, label(power))));
    let marks = [(0.0, "0".to_string())].into_iter().chain(marks);
    marks.filter(|(place, _)| (lo..=hi).contains(place)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(spacing: Spacing, lo: f64, hi: f64, length: usize) -> String {
        let span = (spacing.place(lo).unwrap(), spacing.place(hi).unwrap());
        let scale = Scale::new(spacing, span, length, |label| 10 * label.len() + 10);
        for (place, label) in &scale.marks {
            let said: f64 = label.parse().unwrap();
            assert!((spacing.value(*place) - said).abs() <= 1e-9 * said, "{label} at {place}");
            assert!((-1e-9..=1.0 + 1e-9).contains(&scale.position(*place)));
        }
        scale.marks.into_iter().map(|(_, label)| label).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn ticks_are_few_and_round() {
        use Spacing::{Linear, Log, LogPlusOne};
        for (spacing, lo, hi, length, expected) in [
            (Linear, 0.0, 100.0, 800, "0 20 40 60 80 100"),
            (Linear, 0.0, 100.0, 150, "0 100"),
            (Log, 1.0, 2e4, 800, "1e0 1e1 1e2 1e3 1e4"),
            (Log, 1e-12, 1e12, 800, "1e-12 1e-9 1e-6 1e-3 1e0 1e3 1e6 1e9 1e12"),
            (Log, 0.04, 0.9, 800, "5e-2 1e-1 2e-1 5e-1"),
            (Log, 0.3, 0.9, 800, "0.4 0.6 0.8"),
            (LogPlusOne, 0.0, 2e4, 800, "0 1 10 100 1000 10000"),
            (LogPlusOne, 0.0, 5e6, 800, "0 1 10 100 1000 10000 1e5 1e6"),
            (LogPlusOne, 0.0, 2e4, 150, "0 10 1000"),
            (LogPlusOne, 0.0, 8.0, 800, "0 2 4 6 8"),
            (LogPlusOne, 100.0, 2e4, 800, "100 1000 10000"),
            (LogPlusOne, 100.0, 300.0, 800, "100 150 200 250 300"),
        ] {
            assert_eq!(labels(spacing, lo, hi, length), expected, "{spacing:?} {lo} to {hi} on {length}");
        }
    }
}
