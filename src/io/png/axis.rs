//! The axes of a picture: ticks and labels of samples, or of classes of samples.

use super::side::Side;
use super::ticks::every;

/// The most samples that are numbered.
const MOST_NUMBERS: usize = 12;

/// Ticks and labels along a side. Positions are in pixels from its start.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Axis {
    pub ticks: Vec<usize>,
    /// Centre and text.
    pub labels: Vec<(usize, String)>,
}

impl Axis {
    /// The axis of a side whose samples are ordered by `classes`, each with name and count. Ticks mark the borders of the
    /// classes, and labels are between them. Without classes the samples are numbered. `room` returns the length of a label
    /// along the side, including a gap.
    pub(super) fn new(side: Side, classes: &[(String, usize)], room: impl Fn(&str) -> usize) -> Self {
        if classes.is_empty() { Axis::for_samples(side, room) } else { Axis::for_classes(side, classes, room) }
    }

    fn for_samples(side: Side, room: impl Fn(&str) -> usize) -> Self {
        let widest = room(&(side.samples - 1).to_string());
        let most = (side.length() / widest).clamp(1, MOST_NUMBERS);
        let numbers: Vec<usize> = (0..side.samples).step_by(every(side.samples, most)).collect();
        let ticks: Vec<usize> = numbers.iter().map(|sample| side.position(2 * sample + 1)).collect();
        let labels = ticks.iter().copied().zip(numbers.iter().map(usize::to_string)).collect();
        Axis { ticks, labels }
    }

    fn for_classes(side: Side, classes: &[(String, usize)], room: impl Fn(&str) -> usize) -> Self {
        let mut ticks = vec![0];
        let mut spans = Vec::new();
        let mut start = 0;
        for (name, count) in classes.iter().filter(|(_, count)| *count > 0) {
            spans.push((side.position(2 * start + count), name, *count));
            start += count;
            ticks.push(side.position(2 * start));
        }
        let with_counts = spans.iter().map(|&(centre, name, count)| (centre, format!("{name} ({count})"), count));
        let names = spans.iter().map(|&(centre, name, count)| (centre, name.clone(), count));
        let labels = match apart(with_counts.collect(), &room) {
            labels if labels.len() == spans.len() => labels,
            _ => apart(names.collect(), &room),
        };
        Axis { ticks, labels }
    }
}

/// The labels without overlaps, in the order of the classes. If two overlap, the label of the larger class is kept.
fn apart(mut labels: Vec<(usize, String, usize)>, room: impl Fn(&str) -> usize) -> Vec<(usize, String)> {
    labels.sort_by_key(|&(.., count)| std::cmp::Reverse(count));
    let mut kept: Vec<(usize, String)> = Vec::new();
    for (centre, label, _) in labels {
        let clear = |(other, text): &(usize, String)| 2 * centre.abs_diff(*other) >= room(&label) + room(text);
        if kept.iter().all(clear) {
            kept.push((centre, label));
        }
    }
    kept.sort();
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIDE: Side = Side { samples: 2000, cells: 1000, zoom: 1 };

    fn classes(list: &[(&str, usize)]) -> Vec<(String, usize)> {
        list.iter().map(|&(name, count)| (name.into(), count)).collect()
    }

    #[test]
    fn samples_are_numbered_at_the_centres_of_their_cells() {
        let side = Side { samples: 4, cells: 4, zoom: 50 };
        let axis = Axis::new(side, &[], |label| 10 * label.len());
        assert_eq!(axis.ticks, [25, 75, 125, 175]);
        assert_eq!(axis.labels[3], (175, "3".into()));
        assert_eq!(Axis::new(SIDE, &[], |label| 10 * label.len()).labels[9], (900, "1800".into()));
    }

    #[test]
    fn class_labels_are_between_their_borders() {
        let axis = Axis::new(SIDE, &classes(&[("six", 500), ("none", 0), ("nine", 1500)]), |label| 10 * label.len());
        assert_eq!(axis.ticks, [0, 250, 1000]);
        assert_eq!(axis.labels, [(125, "six (500)".into()), (625, "nine (1500)".into())]);
    }

    #[test]
    fn counts_go_before_names_and_small_classes_before_large_ones() {
        let long = "a long name of a class";
        let wide = Axis::new(SIDE, &classes(&[(long, 450), (long, 1550)]), |label| 10 * label.len());
        assert_eq!(wide.labels.len(), 2);
        let named = Axis::new(SIDE, &classes(&[(long, 440), (long, 440), (long, 1120)]), |label| 10 * label.len());
        assert_eq!(named.labels[1], (330, long.to_string()));
        let crowded = Axis::new(SIDE, &classes(&[(long, 20), (long, 1880), (long, 100)]), |label| 90 * label.len());
        assert_eq!(crowded.labels, [(480, long.to_string())]);
        assert_eq!(crowded.ticks, [0, 10, 950, 1000]);
    }
}
