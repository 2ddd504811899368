//! Round numbers along an axis.

/// The ticks of an axis with their labels. Values are multiples of 1, 2 or 5 times a power of ten.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Ticks {
    /// Value and label, ascending.
    pub marks: Vec<(f64, String)>,
    /// The exponent of the power of ten that multiplies all labels. It is 0 unless plain labels would be long.
    pub exponent: i32,
}

/// At most `most` ticks within `lo..=hi`. The bounds are finite, and `lo < hi` by more than a relative 1e-12.
pub(super) fn ticks(lo: f64, hi: f64, most: usize) -> Ticks {
    let rough = ((hi - lo) / most as f64).log10().floor() as i32;
    let steps = (rough - 1..=rough + 2).flat_map(|exponent| [1, 2, 5].map(|digit| (digit, exponent)));
    let mut spans = steps.map(|(digit, exponent)| (digit, exponent, multiples(lo, hi, scaled(digit, exponent))));
    let (digit, exponent, (first, last)) = spans
        .find(|&(_, _, (first, last))| last - first < most as i64)
        .expect("a step as long as the span, which has at most two ticks");
    labelled((first..=last).map(|count| count * digit).collect(), exponent)
}

/// The first and the last multiple of `step` within `lo..=hi`.
fn multiples(lo: f64, hi: f64, step: f64) -> (i64, i64) {
    // A bound that is a multiple up to rounding is a tick.
    let slack = 1e-6 * ((hi - lo) / step).min(1.0);
    ((lo / step - slack).ceil() as i64, (hi / step + slack).floor() as i64)
}

/// The smallest step, 1, 2 or 5 times a power of ten, that selects at most `most` of `0..count`.
pub(super) fn every(count: usize, most: usize) -> usize {
    let powers = std::iter::successors(Some(1usize), |power| power.checked_mul(10));
    let mut steps = powers.flat_map(|power| [1, 2, 5].map(|digit| power.saturating_mul(digit)));
    steps.find(|&step| count.div_ceil(step) <= most).unwrap_or(usize::MAX)
}

/// Labels for the numbers `counts * 10^exponent`, all with the same number of decimals.
fn labelled(counts: Vec<i64>, exponent: i32) -> Ticks {
    let largest = counts.iter().map(|count| count.unsigned_abs()).max().unwrap_or(0);
    let leading = exponent + largest.max(1).ilog10() as i32;
    let plain = leading < 5 && exponent >= -4;
    let factor = if plain { 0 } else { leading };
    let mark = |count: i64| (scaled(count, exponent), decimal(count, exponent - factor));
    Ticks { marks: counts.into_iter().map(mark).collect(), exponent: factor }
}

/// `count * 10^exponent`, correctly rounded except for very large exponents.
fn scaled(count: i64, exponent: i32) -> f64 {
    if exponent < 0 { count as f64 / 10f64.powi(-exponent) } else { count as f64 * 10f64.powi(exponent) }
}

/// The exact digits of `count * 10^exponent`.
fn decimal(count: i64, exponent: i32) -> String {
    let sign = if count < 0 { "-" } else { "" };
    let digits = count.unsigned_abs();
    let Ok(zeros) = usize::try_from(exponent) else {
        let decimals = exponent.unsigned_abs() as usize;
        let digits = format!("{digits:0>width$}", width = decimals + 1);
        let (whole, fraction) = digits.split_at(digits.len() - decimals);
        return format!("{sign}{whole}.{fraction}");
    };
    if digits == 0 { "0".into() } else { format!("{sign}{digits}{}", "0".repeat(zeros)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(lo: f64, hi: f64) -> (Vec<String>, i32) {
        let ticks = ticks(lo, hi, 6);
        (ticks.marks.into_iter().map(|(_, label)| label).collect(), ticks.exponent)
    }

    #[test]
    fn labels_are_round_and_short() {
        for (lo, hi, expected, exponent) in [
            (0.0, 1.0, "0.0 0.2 0.4 0.6 0.8 1.0", 0),
            (0.0, 10.0, "0 2 4 6 8 10", 0),
            (0.13, 0.47, "0.2 0.3 0.4", 0),
            (-1.0, 1.0, "-1.0 -0.5 0.0 0.5 1.0", 0),
            (0.0, 99_000.0, "0 20000 40000 60000 80000", 0),
            (0.0, 1.25e6, "0.0 0.5 1.0", 6),
            (1e6, 1e6 + 3.0, "1.000000 1.000001 1.000002 1.000003", 6),
            (2e-7, 9e-7, "2 4 6 8", -7),
            (-3e-9, 1e-9, "-3 -2 -1 0 1", -9),
            (0.001, 0.003, "0.0010 0.0015 0.0020 0.0025 0.0030", 0),
        ] {
            assert_eq!(labels(lo, hi), (expected.split(' ').map(String::from).collect(), exponent), "{lo} to {hi}");
        }
    }

    #[test]
    fn steps_are_round() {
        assert_eq!(
            [(1, 12), (12, 12), (13, 12), (2000, 12), (10_000, 1)].map(|(n, most)| every(n, most)),
            [1, 1, 2, 200, 10_000]
        );
    }

    #[test]
    fn there_are_two_to_six_ticks_in_the_range_and_labels_say_their_values() {
        for power in -290..290 {
            for (lo, hi) in [(0.0, 1.0), (0.1, 0.7), (-2.3, 4.9), (1.0, 1.0 + 1e-9), (-9.99, -1.01), (3.0, 8.1)] {
                let (lo, hi) = (lo * 10f64.powi(power), hi * 10f64.powi(power));
                let ticks = ticks(lo, hi, 6);
                assert!((2..=6).contains(&ticks.marks.len()), "{lo} to {hi}: {ticks:?}");
                for (value, label) in &ticks.marks {
                    let slack = 1e-6 * (hi - lo);
                    assert!((lo - slack..=hi + slack).contains(value), "{value} in {lo} to {hi}");
                    let said: f64 = format!("{label}e{}", ticks.exponent).parse().unwrap();
                    assert!((said - value).abs() <= 1e-15 * value.abs(), "{label} for {value}");
                }
            }
        }
    }
}
