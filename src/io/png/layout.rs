//! Where the parts of a heat map are placed, and how they are drawn.

use super::axis::{Axis, Side};
use super::canvas::{Area, BLACK, Colour, Font, GREY, Image, WHITE};
use super::ticks::Ticks;

/// White space at the edges of the image.
pub(super) const MARGIN: usize = 20;
pub(super) const TICK: usize = 8;
/// Between a tick and its label, or a text and what it belongs to.
pub(super) const GAP: usize = 6;
/// Between the picture and the colour bar.
const BAR_DISTANCE: usize = 36;
const BAR_WIDTH: usize = 26;
pub(super) const LINE: usize = 20;
pub(super) const TITLE_LINE: usize = 24;

/// What is drawn around the cells.
pub(super) struct Parts<'a> {
    pub title: &'a str,
    pub rows: (Side, Axis, &'a str),
    pub cols: (Side, Axis, &'a str),
    /// Lines over the picture at these many pixels from the top and from the left.
    pub borders: [Vec<usize>; 2],
    /// The ticks of the colour bar, at positions from its bottom, 0, to its top, 1.
    pub scale: Ticks,
    pub label: &'a str,
}

/// The image of the cells, \[rows, cols\] of colours, with `bar` the colour at each position from 0 to 1.
pub(super) fn draw(parts: &Parts<'_>, cells: &[Colour], bar: impl Fn(f64) -> Colour) -> Image {
    let Parts { title, rows: (down, row_axis, row_title), cols: (across, col_axis, col_title), .. } = parts;
    let widest = |labels: &mut dyn Iterator<Item = &String>| labels.map(|label| Font::Plain.width(label)).max();
    let row_labels = widest(&mut row_axis.labels.iter().map(|(_, label)| label)).unwrap_or(0);
    let scale_labels = widest(&mut parts.scale.marks.iter().map(|(_, label)| label)).unwrap_or(0);
    let line = |text: &str| if text.is_empty() { 0 } else { LINE + 2 * GAP };
    let factor = factor(parts.scale.exponent);

    // From left to right, then from top to bottom.
    let left = MARGIN + line(row_title) + row_labels + GAP + TICK;
    let bar_left = left + across.length() + BAR_DISTANCE;
    let right_labels =
        (TICK + GAP + scale_labels).max(factor.as_ref().map_or(0, Factor::width).saturating_sub(BAR_WIDTH));
    let natural_width = bar_left + BAR_WIDTH + right_labels + line(parts.label) + MARGIN;
    let longest_word = title.split_whitespace().map(|word| Font::Plain.width(word)).max().unwrap_or(0);
    let width = natural_width.max(longest_word.max(Font::Plain.width(col_title)) + 2 * MARGIN);
    let centred = |text: &str, centre: usize, limit: usize| {
        let length = Font::Plain.width(text);
        centre.saturating_sub(length / 2).min(limit.saturating_sub(MARGIN + length)).max(MARGIN)
    };
    let middle_x = left + across.length() / 2;
    let title_lines: Vec<(String, usize)> = wrapped(title, (width - 2 * MARGIN) / Font::Plain.size().0)
        .into_iter()
        .map(|text| {
            let x = centred(&text, middle_x, width);
            (text, x)
        })
        .collect();
    let title_height = if title_lines.is_empty() { 0 } else { title_lines.len() * TITLE_LINE + 2 * GAP };
    // The factor stands above the colour bar: beside the title's last line where that ends before it.
    let beside = title_lines.last().is_some_and(|(text, x)| x + Font::Plain.width(text) + GAP <= bar_left);
    let factor_height = if factor.is_none() || beside { 0 } else { Factor::HEIGHT + GAP };
    let top = MARGIN + title_height + factor_height;
    let natural_height = top + down.length() + TICK + GAP + LINE + line(col_title) + MARGIN;
    let height = natural_height.max(Font::Plain.width(row_title).max(Font::Plain.width(parts.label)) + 2 * MARGIN);

    let picture = Area { x: left as i32, y: top as i32, width: across.length(), height: down.length() };
    let bar_area = Area { x: bar_left as i32, width: BAR_WIDTH, ..picture };
    let mut image = Image::white(width, height);
    let middle_y = top + down.length() / 2;

    for (number, (text, x)) in title_lines.iter().enumerate() {
        image.text(text, Font::Plain, *x as i32, (MARGIN + number * TITLE_LINE) as i32);
    }
    paint(&mut image, picture, *down, *across, cells);
    for &y in &parts.borders[0] {
        image.fill(Area { y: picture.y + y as i32, height: 1, ..picture }, WHITE);
    }
    for &x in &parts.borders[1] {
        image.fill(Area { x: picture.x + x as i32, width: 1, ..picture }, WHITE);
    }
    image.frame(picture, GREY);

    // A tick at a border is where the border is; the last is on the frame.
    for &y in &row_axis.ticks {
        let x = picture.x - 1 - TICK as i32;
        image.fill(Area { x, y: picture.y + y as i32, width: TICK, height: 1 }, BLACK);
    }
    for (y, label) in &row_axis.labels {
        let x = picture.x - (1 + TICK + GAP + Font::Plain.width(label)) as i32;
        image.text(label, Font::Plain, x, picture.y + *y as i32 - LINE as i32 / 2);
    }
    for &x in &col_axis.ticks {
        image.fill(Area { x: picture.x + x as i32, y: picture.bottom() + 1, width: 1, height: TICK }, BLACK);
    }
    let below = picture.bottom() + (TICK + GAP) as i32;
    for (x, label) in &col_axis.labels {
        image.text(label, Font::Plain, centred(label, left + x, width) as i32, below);
    }
    let y = centred(row_title, middle_y, height) as i32;
    image.text_upwards(row_title, Font::Plain, MARGIN as i32, y);
    let x = centred(col_title, middle_x, width) as i32;
    image.text(col_title, Font::Plain, x, below + (LINE + 2 * GAP) as i32);

    let steps = (bar_area.height - 1).max(1) as f64;
    for step in 0..bar_area.height {
        let line = Area { y: bar_area.bottom() - 1 - step as i32, height: 1, ..bar_area };
        image.fill(line, bar(step as f64 / steps));
    }
    image.frame(bar_area, GREY);
    for (position, label) in &parts.scale.marks {
        let y = bar_area.bottom() - 1 - (position.clamp(0.0, 1.0) * steps).round() as i32;
        image.fill(Area { x: bar_area.right() + 1, y, width: TICK, height: 1 }, BLACK);
        image.text(label, Font::Plain, bar_area.right() + (1 + TICK + GAP) as i32, y - LINE as i32 / 2);
    }
    if let Some(factor) = factor {
        factor.draw(&mut image, bar_area.x, bar_area.y - (Factor::HEIGHT + GAP) as i32);
    }
    let x = (natural_width - MARGIN - LINE) as i32;
    image.text_upwards(parts.label, Font::Plain, x, centred(parts.label, middle_y, height) as i32);
    image
}

fn paint(image: &mut Image, area: Area, down: Side, across: Side, cells: &[Colour]) {
    let (x, y) = (area.x as usize, area.y as usize);
    for (row, colours) in cells.chunks_exact(across.cells).enumerate() {
        let line: Vec<u8> = colours.iter().flat_map(|colour| colour.repeat(across.zoom)).collect();
        for y in (y + row * down.zoom..).take(down.zoom) {
            let start = 3 * (y * image.width + x);
            image.rgb[start..start + line.len()].copy_from_slice(&line);
        }
    }
}

/// The power of ten by which the labels of the colour bar are to be multiplied.
struct Factor(String);

impl Factor {
    const HEIGHT: usize = 22;
    const BASE: &'static str = "×10";

    fn width(&self) -> usize {
        Font::Plain.width(Self::BASE) + 1 + Font::Small.width(&self.0)
    }

    fn draw(&self, image: &mut Image, x: i32, y: i32) {
        image.text(Self::BASE, Font::Plain, x, y + 4);
        image.text(&self.0, Font::Small, x + Font::Plain.width(Self::BASE) as i32 + 1, y);
    }
}

fn factor(exponent: i32) -> Option<Factor> {
    (exponent != 0).then(|| Factor(exponent.to_string()))
}

/// The words of `text` in lines of at most `most` letters; only a longer word makes a longer line.
pub(super) fn wrapped(text: &str, most: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if line.chars().count() + 1 + word.chars().count() <= most => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.into()),
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn titles_are_wrapped_at_words() {
        assert_eq!(wrapped("a kernel of six and nine", 11), ["a kernel of", "six and", "nine"]);
        assert_eq!(wrapped("unbreakable a", 3), ["unbreakable", "a"]);
        assert!(wrapped("  ", 3).is_empty());
    }
}
