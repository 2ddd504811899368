//! The lines of plots, point by point.

use crate::io::png::canvas::{Area, Colour, Image};

/// This number of points in one column of pixels, or more, is drawn as one point.
const CROWD: usize = 4;
/// The length of a dash.
const DASH: usize = 12;
/// The length of a dash with its gap.
const PERIOD: usize = 20;

/// The style of a line.
#[derive(Clone, Copy)]
pub(super) struct Pen {
    pub colour: Colour,
    pub dashed: bool,
}

impl Pen {
    /// Draws a piece of line for the legend.
    pub(super) fn sample(self, image: &mut Image, area: Area) {
        let period = if self.dashed { PERIOD } else { area.width };
        for start in (0..area.width).step_by(period) {
            let width = (area.width - start).min(if self.dashed { DASH } else { area.width });
            image.fill(Area { x: area.x + start as i32, width, ..area }, self.colour);
        }
    }
}

/// A thinned line: its points, and bands in columns of pixels with their smallest and largest y.
struct Thinned {
    points: Vec<[f64; 2]>,
    bands: Vec<(i32, [f64; 2])>,
}

impl Thinned {
    /// Replaces crowded points in a column of pixels by their mean, if x ascends along the line.
    fn new(points: &[[f64; 2]]) -> Self {
        let mut thinned = Thinned { points: Vec::new(), bands: Vec::new() };
        let column = |point: &[f64; 2]| point[0].round() as i32;
        let ascends = points.is_sorted_by(|a, b| a[0] <= b[0]);
        for crowd in points.chunk_by(|a, b| ascends && column(a) == column(b)) {
            if crowd.len() < CROWD {
                thinned.points.extend(crowd);
                continue;
            }
            let mean = |axis: usize| crowd.iter().map(|point| point[axis]).sum::<f64>() / crowd.len() as f64;
            let ends = crowd.iter().fold([f64::MAX, f64::MIN], |[lo, hi], point| [lo.min(point[1]), hi.max(point[1])]);
            thinned.points.push([mean(0), mean(1)]);
            thinned.bands.push((column(&crowd[0]), ends));
        }
        thinned
    }
}

/// Draws lines through points, clipped to the area. Bands are below all lines.
pub(super) fn draw_lines(image: &mut Image, area: Area, lines: &[Vec<[f64; 2]>], pens: &[Pen]) {
    let thinned: Vec<Thinned> = lines.iter().map(|points| Thinned::new(points)).collect();
    for (line, pen) in thinned.iter().zip(pens) {
        for &(x, [least, largest]) in &line.bands {
            if let Some([[_, top], [_, bottom]]) = within(area, [f64::from(x), least], [f64::from(x), largest]) {
                let (top, bottom) = (top.round() as i32, bottom.round() as i32);
                image.tint(Area { x, y: top, width: 1, height: (bottom - top) as usize + 1 }, pale(pen.colour));
            }
        }
    }
    for (line, pen) in thinned.iter().zip(pens) {
        match &line.points[..] {
            [point] => {
                if let Some([inside, _]) = within(area, *point, *point) {
                    dot(image, rounded(inside), 7, pen.colour);
                }
            }
            points => draw_line(image, area, points, *pen),
        }
    }
}

fn draw_line(image: &mut Image, area: Area, points: &[[f64; 2]], pen: Pen) {
    let mut drawn = 0;
    for pair in points.windows(2) {
        if let Some([from, to]) = within(area, pair[0], pair[1]) {
            drawn = stroke(image, rounded(from), rounded(to), pen, drawn);
        }
    }
}

/// Draws a line of three pixels, point by point along its longer side. Dashes continue after `drawn` points. Returns the
/// number of points including this stroke.
fn stroke(image: &mut Image, from: [i32; 2], to: [i32; 2], pen: Pen, drawn: usize) -> usize {
    let [dx, dy] = [to[0] - from[0], to[1] - from[1]];
    let steps = dx.abs().max(dy.abs());
    for step in 0..=steps {
        let along =
            |from: i32, by: i32| from + (f64::from(by) * f64::from(step) / f64::from(steps.max(1))).round() as i32;
        if !pen.dashed || (drawn + step as usize) % PERIOD < DASH {
            dot(image, [along(from[0], dx), along(from[1], dy)], 3, pen.colour);
        }
    }
    drawn + steps as usize
}

fn dot(image: &mut Image, [x, y]: [i32; 2], size: usize, colour: Colour) {
    let half = size as i32 / 2;
    image.fill(Area { x: x - half, y: y - half, width: size, height: size }, colour);
}

fn rounded(point: [f64; 2]) -> [i32; 2] {
    point.map(|x| x.round() as i32)
}

/// The part of a segment inside an area, by the algorithm of Liang and Barsky (1984).
fn within(area: Area, from: [f64; 2], to: [f64; 2]) -> Option<[[f64; 2]; 2]> {
    let bounds = [(area.x, area.right() - 1), (area.y, area.bottom() - 1)];
    let (mut first, mut last) = (0.0f64, 1.0f64);
    for axis in 0..2 {
        let (lo, hi) = (f64::from(bounds[axis].0), f64::from(bounds[axis].1));
        let length = to[axis] - from[axis];
        if length == 0.0 && !(lo..=hi).contains(&from[axis]) {
            return None;
        }
        if length != 0.0 {
            let (at_lo, at_hi) = ((lo - from[axis]) / length, (hi - from[axis]) / length);
            first = first.max(at_lo.min(at_hi));
            last = last.min(at_lo.max(at_hi));
        }
    }
    let at = |part: f64| match part {
        1.0 => to,
        _ => [0, 1].map(|axis| from[axis] + part * (to[axis] - from[axis])),
    };
    (first <= last).then(|| [at(first), at(last)])
}

fn pale(colour: Colour) -> Colour {
    colour.map(|part| 255 - (255 - part) / 4)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_cut_at_the_bounds() {
        let area = Area { x: 10, y: 20, width: 11, height: 6 };
        let cut = |from, to| within(area, from, to);
        assert_eq!(cut([10.0, 20.0], [20.0, 25.0]), Some([[10.0, 20.0], [20.0, 25.0]]));
        assert_eq!(cut([0.0, 22.0], [40.0, 22.0]), Some([[10.0, 22.0], [20.0, 22.0]]));
        assert_eq!(cut([15.0, 15.0], [15.0, 1e6]), Some([[15.0, 20.0], [15.0, 25.0]]));
        assert_eq!(cut([12.0, 18.0], [16.0, 22.0]), Some([[14.0, 20.0], [16.0, 22.0]]));
        for (from, to) in [([0.0, 22.0], [9.0, 22.0]), ([5.0, 22.0], [12.0, 10.0]), ([9.0, 22.0], [9.0, 22.0])] {
            assert_eq!(cut(from, to), None, "{from:?} to {to:?}");
        }
    }

    #[test]
    fn crowds_are_thinned_to_their_means() {
        let points = [[0.0, 5.0], [1.0, 1.0], [1.1, 9.0], [1.2, 3.0], [1.3, 7.0], [2.0, 2.0], [2.0, 4.0]];
        let thinned = Thinned::new(&points);
        assert_eq!(thinned.points, [[0.0, 5.0], [1.15, 5.0], [2.0, 2.0], [2.0, 4.0]]);
        assert_eq!(thinned.bands, [(1, [1.0, 9.0])]);
        // A line whose x does not ascend is not thinned.
        let circle: Vec<[f64; 2]> =
            (0..100).map(|i| [(f64::from(i) / 15.0).cos(), (f64::from(i) / 15.0).sin()]).collect();
        let thinned = Thinned::new(&circle);
        assert!(thinned.points == circle && thinned.bands.is_empty());
    }
}
