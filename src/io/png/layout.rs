//! The layout of a figure: the positions of heat maps in a row, titles, axes and the colour bar.

use std::ops::Range;

use super::axis::Axis;
use super::canvas::{Area, Colour, Font};
use super::side::Side;
use super::ticks::Ticks;

/// White space at the edges of the image.
pub(super) const MARGIN: usize = 20;
pub(super) const TICK: usize = 8;
/// The gap between a tick and its label, and between a text and its object.
pub(super) const GAP: usize = 6;
/// The distance between a picture and the row labels of the next one.
const PANEL_DISTANCE: usize = 26;
/// The distance between the last picture and the colour bar.
const BAR_DISTANCE: usize = 36;
const BAR_WIDTH: usize = 26;
pub(super) const LINE: usize = 20;
pub(super) const TITLE_LINE: usize = 24;

/// The contents of a figure.
pub(super) struct Figure<'a> {
    /// The title above all panels.
    pub title: &'a str,
    /// The vertical and the horizontal side of all panels.
    pub sides: [Side; 2],
    pub panels: Vec<Panel<'a>>,
    /// The ticks of the colour bar, at positions from its bottom, 0, to its top, 1.
    pub scale: Ticks,
    pub label: &'a str,
}

/// One matrix with its texts and axes. The first of a pair belongs to the rows.
pub(super) struct Panel<'a> {
    pub title: &'a str,
    pub caption: &'a str,
    pub axes: [Axis; 2],
    pub names: [&'a str; 2],
    /// Lines over the picture, at distances in pixels from the top and from the left.
    pub borders: [Vec<usize>; 2],
    pub cells: Vec<Colour>,
}

impl Panel<'_> {
    /// The width of the labels and the name left of the picture.
    pub(super) fn left(&self) -> usize {
        line(self.names[0]) + widest(self.axes[0].labels.iter().map(|(_, label)| label.as_str())) + GAP + TICK
    }

    /// The width of the longest unbreakable text above or below.
    fn texts(&self) -> usize {
        longest_word(self.title).max(Font::Plain.width(self.names[1]))
    }
}

/// The positions of all parts of a figure.
pub(super) struct Places {
    pub width: usize,
    pub height: usize,
    pub pictures: Vec<Area>,
    /// For each panel, the horizontal range of the texts above and below.
    pub rooms: Vec<Range<usize>>,
    /// The lines of the titles, with their upper left corners.
    pub titles: Vec<(String, [usize; 2])>,
    /// The upper edge of the captions.
    pub captions: usize,
    pub bar: Area,
    /// The left edge of the label of the bar.
    pub label: usize,
}

impl Places {
    pub(super) fn new(figure: &Figure<'_>) -> Self {
        let columns = Columns::new(figure);
        let [down, across] = figure.sides.map(|side| side.length());
        let header = Header::new(figure, &columns);
        let top = header.bottom;
        let names = |side: usize| figure.panels.iter().map(move |panel| panel.names[side]);
        let below = TICK + GAP + LINE + names(1).map(line).max().unwrap_or(0);
        let upright = widest(names(0).chain([figure.label]));
        let area = |x: usize, width: usize| Area { x: x as i32, y: top as i32, width, height: down };
        Places {
            width: columns.width,
            height: (top + down + below + MARGIN).max(upright + 2 * MARGIN),
            pictures: columns.pictures.iter().map(|&x| area(x, across)).collect(),
            rooms: columns.rooms,
            titles: header.titles,
            captions: header.captions,
            bar: area(columns.bar, BAR_WIDTH),
            label: columns.end - LINE,
        }
    }
}

/// The layout above the pictures.
struct Header {
    titles: Vec<(String, [usize; 2])>,
    captions: usize,
    /// The upper edge of the pictures.
    bottom: usize,
}

impl Header {
    fn new(figure: &Figure<'_>, columns: &Columns) -> Self {
        let Figure { panels, sides, .. } = figure;
        let middles: Vec<usize> = columns.pictures.iter().map(|left| left + sides[1].length() / 2).collect();
        let shared = wrapped(figure.title, columns.width - 2 * MARGIN);
        let titles = panels.iter().zip(&columns.rooms).map(|(panel, room)| wrapped(panel.title, room.len()));
        let panel_titles: Vec<Vec<String>> = titles.collect();
        let lines = panel_titles.iter().map(Vec::len).max().unwrap_or(0);
        let top = MARGIN + block(shared.len());
        let captions = top + lines * TITLE_LINE;

        // Titles are aligned at their last lines.
        let middle = (middles[0] + middles[middles.len() - 1]) / 2;
        let mut titles = lines_of(shared, MARGIN, middle, &(MARGIN..columns.width - MARGIN));
        for ((texts, middle), room) in panel_titles.into_iter().zip(middles).zip(&columns.rooms) {
            let from = captions - texts.len() * TITLE_LINE;
            titles.extend(lines_of(texts, from, middle, room));
        }
        let captioned = panels.iter().any(|panel| !panel.caption.is_empty());
        let mut header = Header { titles, captions, bottom: top + block(lines + usize::from(captioned)) };
        // The factor is above the colour bar. It shares a row with the last line of text if there is no overlap.
        let end = if captioned { columns.captions(panels) } else { header.end() };
        if Factor::new(&figure.scale).is_some() && end.is_none_or(|end| end + GAP > columns.bar) {
            header.bottom += Factor::HEIGHT + GAP;
        }
        header
    }

    /// The right end of the last lines of the titles.
    fn end(&self) -> Option<usize> {
        let last = self.titles.iter().map(|(_, [_, y])| *y).max()?;
        let lines = self.titles.iter().filter(|(_, [_, y])| *y == last);
        lines.map(|(text, [x, _])| x + Font::Plain.width(text)).max()
    }
}

/// The positions of lines of text below each other, from `top` on, centred at `middle`.
fn lines_of(texts: Vec<String>, top: usize, middle: usize, room: &Range<usize>) -> Vec<(String, [usize; 2])> {
    let place = |(number, text): (usize, String)| {
        let x = centred(&text, middle, room);
        (text, [x, top + number * TITLE_LINE])
    };
    texts.into_iter().enumerate().map(place).collect()
}

/// The horizontal layout.
struct Columns {
    pictures: Vec<usize>,
    rooms: Vec<Range<usize>>,
    bar: usize,
    /// The right end of the labels of the bar.
    end: usize,
    width: usize,
}

impl Columns {
    fn new(figure: &Figure<'_>) -> Self {
        let across = figure.sides[1].length();
        let captions = widest(figure.panels.iter().map(|panel| panel.caption));
        let texts = figure.panels.iter().map(Panel::texts).max().unwrap_or(0);
        let alone = figure.panels.len() == 1;
        // The texts of a single panel may extend above and below its labels and the colour bar.
        let width_per_panel = if alone { across } else { across.max(captions).max(texts) };
        let mut pictures = Vec::new();
        let mut x = MARGIN;
        for panel in &figure.panels {
            pictures.push(x + panel.left());
            x += panel.left() + width_per_panel + PANEL_DISTANCE;
        }
        let bar = x - PANEL_DISTANCE + BAR_DISTANCE;
        let labels = TICK + GAP + widest(figure.scale.marks.iter().map(|(_, label)| label.as_str()));
        let factor = Factor::new(&figure.scale).map_or(0, |factor| factor.width().saturating_sub(BAR_WIDTH));
        let end = bar + BAR_WIDTH + labels.max(factor) + line(figure.label);
        let mut width = (end + MARGIN).max(longest_word(figure.title) + 2 * MARGIN);
        if alone {
            width = width.max(texts + 2 * MARGIN).max(pictures[0] + captions + MARGIN);
        }
        let room = |&left: &usize| if alone { MARGIN..width - MARGIN } else { left..left + width_per_panel };
        Columns { rooms: pictures.iter().map(room).collect(), pictures, bar, end, width }
    }

    /// The right end of the captions.
    fn captions(&self, panels: &[Panel<'_>]) -> Option<usize> {
        self.pictures.iter().zip(panels).map(|(left, panel)| left + Font::Plain.width(panel.caption)).max()
    }
}

/// The power of ten that multiplies the labels of the colour bar.
pub(super) struct Factor(pub String);

impl Factor {
    pub(super) const HEIGHT: usize = 22;
    pub(super) const BASE: &'static str = "×10";

    pub(super) fn new(scale: &Ticks) -> Option<Self> {
        (scale.exponent != 0).then(|| Factor(scale.exponent.to_string()))
    }

    fn width(&self) -> usize {
        Font::Plain.width(Self::BASE) + 1 + Font::Small.width(&self.0)
    }
}

/// The start of a text centred at `middle`, shifted to fit into `room`.
pub(super) fn centred(text: &str, middle: usize, room: &Range<usize>) -> usize {
    let length = Font::Plain.width(text);
    middle.saturating_sub(length / 2).min(room.end.saturating_sub(length)).max(room.start)
}

/// The space of a text along an axis.
fn line(text: &str) -> usize {
    if text.is_empty() { 0 } else { LINE + 2 * GAP }
}

/// The height of lines of text above a picture.
fn block(lines: usize) -> usize {
    if lines == 0 { 0 } else { lines * TITLE_LINE + 2 * GAP }
}

pub(super) fn widest<'a>(texts: impl Iterator<Item = &'a str>) -> usize {
    texts.map(|text| Font::Plain.width(text)).max().unwrap_or(0)
}

pub(super) fn longest_word(text: &str) -> usize {
    widest(text.split_whitespace())
}

/// Wraps the words of `text` into lines of at most `room` pixels. A longer word makes a longer line.
pub(super) fn wrapped(text: &str, room: usize) -> Vec<String> {
    let most = room / Font::Plain.size().0;
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
        assert_eq!(wrapped("a kernel of six and nine", 119), ["a kernel of", "six and", "nine"]);
        assert_eq!(wrapped("unbreakable a", 30), ["unbreakable", "a"]);
        assert!(wrapped("  ", 30).is_empty());
    }
}
