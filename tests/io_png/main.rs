//! Pictures as PNG files and animations, compared with their numbers pixel by pixel.
#![cfg(feature = "png")]

mod animations;
mod heat_maps;
mod panels;
mod plots;

use std::fs;
use std::io::BufReader;

use tangent_kernels::io::png::Image;

const FRAME: [u8; 3] = [64; 3];
const WHITE: [u8; 3] = [255; 3];
const BLACK: [u8; 3] = [0; 3];

fn pixel(image: &Image, x: usize, y: usize) -> [u8; 3] {
    let at = 3 * (y * image.width + x);
    image.rgb[at..at + 3].try_into().unwrap()
}

/// The first picture within its frame: x, y, width and height.
fn picture(image: &Image) -> [usize; 4] {
    frames(image)[0]
}

/// The framed areas from left to right, pictures and then the colour bar: x, y, width and height within each frame. The
/// corner of the first is the first pixel of its colour, because titles and ticks are black.
fn frames(image: &Image) -> Vec<[usize; 4]> {
    let top = image.rgb.chunks_exact(3).position(|rgb| rgb == FRAME).unwrap() / image.width;
    let framed = |x: usize, y: usize| x < image.width && y < image.height && pixel(image, x, y) == FRAME;
    let corners = (0..image.width).filter(|&x| framed(x, top) && (x == 0 || !framed(x - 1, top)));
    let inside = |x: usize| {
        let width = (x + 1..).take_while(|&x| framed(x, top)).count() - 1;
        let height = (top + 1..).take_while(|&y| framed(x, y)).count() - 1;
        [x + 1, top + 1, width, height]
    };
    corners.map(inside).collect()
}

/// The colour at the centre of the entry (row, col) of a matrix of `rows` x `cols`.
fn at(image: &Image, [rows, cols]: [usize; 2], row: usize, col: usize) -> [u8; 3] {
    let [x, y, width, height] = picture(image);
    pixel(image, x + (2 * col + 1) * width / (2 * cols), y + (2 * row + 1) * height / (2 * rows))
}

fn viridis(position: f64) -> [u8; 3] {
    let colour = colorous::VIRIDIS.eval_continuous(position);
    [colour.r, colour.g, colour.b]
}

fn decoded(path: &std::path::Path) -> Image {
    let mut reader = png::Decoder::new(BufReader::new(fs::File::open(path).unwrap())).read_info().unwrap();
    let mut rgb = vec![0; reader.output_buffer_size().unwrap()];
    let info = reader.next_frame(&mut rgb).unwrap();
    assert_eq!((info.color_type, info.bit_depth), (png::ColorType::Rgb, png::BitDepth::Eight));
    Image { width: info.width as usize, height: info.height as usize, rgb }
}
