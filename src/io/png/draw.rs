//! Drawing a figure: heat maps in a row, with titles and axes, and the colour bar.

use std::ops::Range;

use super::axis::Axis;
use super::canvas::{Area, BLACK, Colour, Font, GREY, Image, WHITE};
use super::layout::{Factor, Figure, GAP, LINE, MARGIN, Panel, Places, TICK, centred};
use super::side::Side;
use super::ticks::Ticks;

/// The image of a figure. `colour` returns the colour at a position of the bar, from 0 to 1.
pub(super) fn draw(figure: &Figure<'_>, colour: impl Fn(f64) -> Colour) -> Image {
    let places = Places::new(figure);
    let mut image = Image::white(places.width, places.height);
    for (text, [x, y]) in &places.titles {
        image.text(text, Font::Plain, *x as i32, *y as i32);
    }
    let upright = MARGIN..places.height - MARGIN;
    let middle = |area: Area| area.y as usize + area.height / 2;
    for ((panel, &area), room) in figure.panels.iter().zip(&places.pictures).zip(&places.rooms) {
        image.text(panel.caption, Font::Plain, area.x, places.captions as i32);
        picture(&mut image, area, figure.sides, panel);
        let names = area.x - panel.left() as i32;
        let start = centred(panel.names[0], middle(area), &upright);
        image.text_upwards(panel.names[0], Font::Plain, names, start as i32);
        rows(&mut image, area, &panel.axes[0]);
        columns(&mut image, area, panel, room);
    }
    bar(&mut image, places.bar, &figure.scale, colour);
    let start = centred(figure.label, middle(places.bar), &upright);
    image.text_upwards(figure.label, Font::Plain, places.label as i32, start as i32);
    image
}

/// The cells in their frame, with the borders over them.
fn picture(image: &mut Image, area: Area, [down, across]: [Side; 2], panel: &Panel<'_>) {
    paint(image, area, down, across, &panel.cells);
    for &y in &panel.borders[0] {
        image.fill(Area { y: area.y + y as i32, height: 1, ..area }, WHITE);
    }
    for &x in &panel.borders[1] {
        image.fill(Area { x: area.x + x as i32, width: 1, ..area }, WHITE);
    }
    image.frame(area, GREY);
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

/// Draws ticks and labels left of the picture. The last tick is on the frame.
fn rows(image: &mut Image, area: Area, axis: &Axis) {
    for &y in &axis.ticks {
        let x = area.x - 1 - TICK as i32;
        image.fill(Area { x, y: area.y + y as i32, width: TICK, height: 1 }, BLACK);
    }
    for (y, label) in &axis.labels {
        let x = area.x - (1 + TICK + GAP + Font::Plain.width(label)) as i32;
        image.text(label, Font::Plain, x, area.y + *y as i32 - LINE as i32 / 2);
    }
}

/// Draws ticks, labels and the name of the axis below the picture.
fn columns(image: &mut Image, area: Area, panel: &Panel<'_>, room: &Range<usize>) {
    for &x in &panel.axes[1].ticks {
        image.fill(Area { x: area.x + x as i32, y: area.bottom() + 1, width: 1, height: TICK }, BLACK);
    }
    let left = area.x as usize;
    let below = area.bottom() + (TICK + GAP) as i32;
    for (x, label) in &panel.axes[1].labels {
        image.text(label, Font::Plain, centred(label, left + x, room) as i32, below);
    }
    let name = panel.names[1];
    let x = centred(name, left + area.width / 2, room) as i32;
    image.text(name, Font::Plain, x, below + (LINE + 2 * GAP) as i32);
}

fn bar(image: &mut Image, area: Area, scale: &Ticks, colour: impl Fn(f64) -> Colour) {
    let steps = (area.height - 1).max(1) as f64;
    for step in 0..area.height {
        let line = Area { y: area.bottom() - 1 - step as i32, height: 1, ..area };
        image.fill(line, colour(step as f64 / steps));
    }
    image.frame(area, GREY);
    for (position, label) in &scale.marks {
        let y = area.bottom() - 1 - (position.clamp(0.0, 1.0) * steps).round() as i32;
        image.fill(Area { x: area.right() + 1, y, width: TICK, height: 1 }, BLACK);
        image.text(label, Font::Plain, area.right() + (1 + TICK + GAP) as i32, y - LINE as i32 / 2);
    }
    if let Some(Factor(exponent)) = Factor::new(scale) {
        let (x, y) = (area.x, area.y - (Factor::HEIGHT + GAP) as i32);
        image.text(Factor::BASE, Font::Plain, x, y + 4);
        image.text(&exponent, Font::Small, x + Font::Plain.width(Factor::BASE) as i32 + 1, y);
    }
}
