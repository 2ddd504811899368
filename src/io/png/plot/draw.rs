//! Drawing a plot: layout, axes, legend and lines.

use super::Plot;
use super::line::{Pen, draw_lines};
use super::scale::Scale;
use crate::io::png::canvas::{Area, BLACK, Colour, Font, GREY, Image};
use crate::io::png::layout::{GAP, LINE, MARGIN, TICK, TITLE_LINE, centred, longest_word, widest, wrapped};

/// The length of a line's sample in the legend.
const SAMPLE: usize = 36;

/// Colours that colour-blind readers can distinguish (Okabe and Ito 2008), without yellow.
const COLOURS: [Colour; 7] =
    [[0, 114, 178], [213, 94, 0], [0, 158, 115], [204, 121, 167], [86, 180, 233], [230, 159, 0], [0, 0, 0]];

/// Draws a plot. `lines` are the positions of the points, and `size` is the plot area in pixels.
pub(super) fn drawn(plot: &Plot, lines: &[Vec<[f64; 2]>], spans: [(f64, f64); 2], size: [usize; 2]) -> Image {
    let [width, height] = size;
    let across = Scale::new(plot.spacing[0], spans[0], width, |label| Font::Plain.width(label) + 20);
    let up = Scale::new(plot.spacing[1], spans[1], height, |_| LINE + 4);
    let names = [named(&plot.axes[0], &across), named(&plot.axes[1], &up)];
    let left = MARGIN + LINE + 2 * GAP + widest(up.marks.iter().map(|(_, label)| label.as_str())) + GAP + TICK;
    let legend = widest(plot.lines.iter().map(|line| line.name.as_str()));
    let texts = longest_word(&plot.title).max(Font::Plain.width(&names[0]));
    let whole = (left + width + 3 * GAP + SAMPLE + GAP + legend + MARGIN).max(texts + 2 * MARGIN);
    let title = wrapped(&plot.title, whole - 2 * MARGIN);
    let top = MARGIN + if title.is_empty() { LINE / 2 } else { title.len() * TITLE_LINE + 2 * GAP };
    let below_lines = top + height + TICK + GAP + LINE + 2 * GAP + LINE + MARGIN;
    let below_legend = top + plot.lines.len() * TITLE_LINE + MARGIN;
    let tallest = below_lines.max(below_legend).max(Font::Plain.width(&names[1]) + 2 * MARGIN);
    let mut image = Image::white(whole, tallest);
    let area = Area { x: left as i32, y: top as i32, width, height };

    for (text, number) in title.iter().zip(0..) {
        write_across(&mut image, text, area, MARGIN as i32 + number * TITLE_LINE as i32);
    }
    let pens = pens(plot);
    let placed: Vec<Vec<[f64; 2]>> = lines.iter().map(|points| pixels(points, area, [&across, &up])).collect();
    draw_lines(&mut image, area, &placed, &pens);
    image.frame(area, GREY);
    marks(&mut image, area, &across, &up);
    write_across(&mut image, &names[0], area, area.bottom() + (TICK + 3 * GAP + LINE) as i32);
    let start = centred(&names[1], top + height / 2, &(MARGIN..tallest - MARGIN));
    image.text_upwards(&names[1], Font::Plain, MARGIN as i32, start as i32);
    for (number, (line, pen)) in plot.lines.iter().zip(&pens).enumerate() {
        let (x, y) = (area.right() + 3 * GAP as i32, (top + number * TITLE_LINE) as i32);
        pen.sample(&mut image, Area { x, y: y + LINE as i32 / 2 - 1, width: SAMPLE, height: 3 });
        image.text(&line.name, Font::Plain, x + (SAMPLE + GAP) as i32, y);
    }
    image
}

/// Writes a text centred on the area, shifted if it does not fit.
fn write_across(image: &mut Image, text: &str, area: Area, y: i32) {
    let room = MARGIN..image.width - MARGIN;
    image.text(text, Font::Plain, centred(text, area.x as usize + area.width / 2, &room) as i32, y);
}

/// The pen of each line. A dashed line has the colour of the previous solid line.
fn pens(plot: &Plot) -> Vec<Pen> {
    let mut solid = 0usize;
    let pen = |dashed: bool| {
        solid += usize::from(!dashed);
        Pen { colour: COLOURS[solid.saturating_sub(1) % COLOURS.len()], dashed }
    };
    plot.lines.iter().map(|line| line.dashed).map(pen).collect()
}

/// The positions of points in the image, also outside the area.
fn pixels(points: &[[f64; 2]], area: Area, [across, up]: [&Scale; 2]) -> Vec<[f64; 2]> {
    let pixel = |point: &[f64; 2]| {
        let x = f64::from(area.x) + across.position(point[0]) * (area.width - 1) as f64;
        let y = f64::from(area.bottom()) - 1.0 - up.position(point[1]) * (area.height - 1) as f64;
        [x, y]
    };
    points.iter().map(pixel).collect()
}

/// The name of an axis, with the factor of its labels.
fn named(name: &str, scale: &Scale) -> String {
    match scale.factor.as_str() {
        "" => name.to_string(),
        factor => format!("{name} ({factor})").trim_start().to_string(),
    }
}

/// Draws ticks and their labels outside of the frame.
fn marks(image: &mut Image, area: Area, across: &Scale, up: &Scale) {
    for (place, label) in &across.marks {
        let x = area.x + (across.position(*place) * (area.width - 1) as f64).round() as i32;
        image.fill(Area { x, y: area.bottom() + 1, width: 1, height: TICK }, BLACK);
        let start = x - Font::Plain.width(label) as i32 / 2;
        image.text(label, Font::Plain, start, area.bottom() + (TICK + GAP) as i32);
    }
    for (place, label) in &up.marks {
        let y = area.bottom() - 1 - (up.position(*place) * (area.height - 1) as f64).round() as i32;
        image.fill(Area { x: area.x - 1 - TICK as i32, y, width: TICK, height: 1 }, BLACK);
        let start = area.x - (1 + TICK + GAP + Font::Plain.width(label)) as i32;
        image.text(label, Font::Plain, start, y - LINE as i32 / 2);
    }
}
