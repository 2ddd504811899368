//! A picture with drawing functions: rectangles, and text in fonts of the X window system.

use std::io::{BufWriter, Write};
use std::path::Path;

use embedded_graphics::mono_font::mapping::ISO_8859_7;
use embedded_graphics::mono_font::{MonoFont, MonoTextStyle, iso_8859_1 as latin, iso_8859_7 as greek};
use embedded_graphics::pixelcolor::BinaryColor;
use embedded_graphics::prelude::*;
use embedded_graphics::text::{Baseline, Text};

use crate::error::{Error, Result};
use crate::io::atomic;

/// Red, green and blue.
pub(super) type Colour = [u8; 3];

pub(super) const WHITE: Colour = [255; 3];
pub(super) const BLACK: Colour = [0; 3];
pub(super) const GREY: Colour = [64; 3];

/// A picture in memory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Image {
    /// Pixels from left to right.
    pub width: usize,
    /// Pixels from top to bottom.
    pub height: usize,
    /// Red, green and blue of each pixel, row by row from the top: 3 x width x height bytes.
    pub rgb: Vec<u8>,
}

impl Image {
    /// Writes the picture to a PNG file at `path`. The file appears when it is complete.
    ///
    /// # Errors
    /// The picture has no pixels, the number of bytes does not match its size, or the file cannot be written. The message
    /// names the file.
    pub fn save(&self, path: impl AsRef<Path>) -> Result<()> {
        atomic::write(path.as_ref(), |out| self.encode(out))
    }

    /// Joins pictures from left to right on white, aligned at their upper edges.
    ///
    /// # Errors
    /// There is no picture, or the number of bytes of one does not match its size. The message names its number, from 0 on.
    pub fn join_right(images: &[Image]) -> Result<Image> {
        let (width, height) = Image::joined(images, |image| image.width, |image| image.height)?;
        let mut all = Image::white(width, height);
        let mut x = 0;
        for image in images {
            all.paste(image, x, 0);
            x += image.width;
        }
        Ok(all)
    }

    /// Joins pictures from top to bottom on white, aligned at their left edges.
    ///
    /// # Errors
    /// The errors of [`join_right`](Self::join_right).
    pub fn join_down(images: &[Image]) -> Result<Image> {
        let (height, width) = Image::joined(images, |image| image.height, |image| image.width)?;
        let mut all = Image::white(width, height);
        let mut y = 0;
        for image in images {
            all.paste(image, 0, y);
            y += image.height;
        }
        Ok(all)
    }

    /// The total length of pictures along one side, and the largest length of the other side.
    fn joined(images: &[Image], along: fn(&Image) -> usize, other: fn(&Image) -> usize) -> Result<(usize, usize)> {
        for (place, image) in images.iter().enumerate() {
            image.check().map_err(|error| error.context(format_args!("picture {place}")))?;
        }
        let longest = images
            .iter()
            .map(other)
            .max()
            .ok_or_else(|| Error::shape("there are no pictures to join: pass at least one"))?;
        Ok((images.iter().map(along).sum(), longest))
    }

    fn paste(&mut self, image: &Image, x: usize, y: usize) {
        if image.width == 0 {
            return;
        }
        for (row, pixels) in image.rgb.chunks_exact(3 * image.width).enumerate() {
            self.rgb[3 * ((y + row) * self.width + x)..][..pixels.len()].copy_from_slice(pixels);
        }
    }

    fn encode<W: Write>(&self, out: &mut BufWriter<W>) -> Result<()> {
        self.check()?;
        let mut writer = encoder(out, self.width, self.height)?.write_header().map_err(encoding_error)?;
        writer.write_image_data(&self.rgb).map_err(encoding_error)?;
        writer.finish().map_err(encoding_error)
    }

    /// Checks the number of bytes.
    pub(super) fn check(&self) -> Result<()> {
        let Image { width, height, rgb } = self;
        if crate::shape::checked_numel(&[*width, *height, 3]) == Some(rgb.len()) {
            return Ok(());
        }
        Err(Error::shape(format!("a picture of {width} x {height} cannot have {} bytes", rgb.len())))
    }

    /// The part of the picture inside an area.
    pub(super) fn part(&self, area: Area) -> Self {
        let rows = self.rgb.chunks_exact(3 * self.width).skip(area.y as usize).take(area.height);
        let rgb = rows.flat_map(|row| &row[3 * area.x as usize..][..3 * area.width]).copied().collect();
        Image { width: area.width, height: area.height, rgb }
    }

    pub(super) fn white(width: usize, height: usize) -> Self {
        Image { width, height, rgb: WHITE.repeat(width * height) }
    }

    /// Fills a rectangle. Parts outside the picture are clipped.
    pub(super) fn fill(&mut self, area: Area, colour: Colour) {
        let columns = clipped(area.x, area.width, self.width);
        for y in clipped(area.y, area.height, self.height) {
            let row = &mut self.rgb[3 * y * self.width..3 * (y + 1) * self.width];
            row[3 * columns.start..3 * columns.end].as_chunks_mut().0.fill(colour);
        }
    }

    /// Multiplies the colours of a rectangle by `colour`, like a transparent layer.
    pub(super) fn tint(&mut self, area: Area, colour: Colour) {
        for y in clipped(area.y, area.height, self.height) {
            for x in clipped(area.x, area.width, self.width) {
                let pixel = &mut self.rgb[3 * (y * self.width + x)..][..3];
                for (part, tint) in pixel.iter_mut().zip(colour) {
                    *part = (u32::from(*part) * u32::from(tint) / 255) as u8;
                }
            }
        }
    }

    /// Draws a frame of one pixel around a rectangle, outside of it.
    pub(super) fn frame(&mut self, area: Area, colour: Colour) {
        let Area { x, y, width, height } = area;
        for line in [
            Area { x: x - 1, y: y - 1, width: width + 2, height: 1 },
            Area { x: x - 1, y: y + height as i32, width: width + 2, height: 1 },
            Area { x: x - 1, y, width: 1, height },
            Area { x: x + width as i32, y, width: 1, height },
        ] {
            self.fill(line, colour);
        }
    }

    /// Writes one line of text in black with its top left corner at (x, y).
    pub(super) fn text(&mut self, text: &str, font: Font, x: i32, y: i32) {
        let bitmap = TextBitmap::new(text, font);
        for (index, _) in bitmap.drawn.iter().enumerate().filter(|&(_, &drawn)| drawn) {
            self.fill(Area::pixel(x + (index % bitmap.width) as i32, y + (index / bitmap.width) as i32), BLACK);
        }
    }

    /// Writes one line of text in black from bottom to top. The top left corner of its area is at (x, y).
    pub(super) fn text_upwards(&mut self, text: &str, font: Font, x: i32, y: i32) {
        let bitmap = TextBitmap::new(text, font);
        for (index, _) in bitmap.drawn.iter().enumerate().filter(|&(_, &drawn)| drawn) {
            self.fill(
                Area::pixel(x + (index / bitmap.width) as i32, y + (bitmap.width - 1 - index % bitmap.width) as i32),
                BLACK,
            );
        }
    }
}

/// An encoder for pictures of this size.
pub(super) fn encoder<W: Write>(out: W, width: usize, height: usize) -> Result<png::Encoder<'static, W>> {
    let too_large = |_| Error::shape(format!("a picture of {width} x {height} is too large for a PNG file"));
    let size = (u32::try_from(width).map_err(too_large)?, u32::try_from(height).map_err(too_large)?);
    let mut encoder = png::Encoder::new(out, size.0, size.1);
    encoder.set_color(png::ColorType::Rgb);
    encoder.set_depth(png::BitDepth::Eight);
    Ok(encoder)
}

pub(super) fn encoding_error(error: png::EncodingError) -> Error {
    match error {
        png::EncodingError::IoError(error) => error.into(),
        other => Error::shape(other.to_string()),
    }
}

/// A rectangle of pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Area {
    pub x: i32,
    pub y: i32,
    pub width: usize,
    pub height: usize,
}

impl Area {
    fn pixel(x: i32, y: i32) -> Self {
        Area { x, y, width: 1, height: 1 }
    }

    /// The first column to the right of the rectangle.
    pub(super) fn right(&self) -> i32 {
        self.x + self.width as i32
    }

    /// The first row below the rectangle.
    pub(super) fn bottom(&self) -> i32 {
        self.y + self.height as i32
    }
}

fn clipped(start: i32, length: usize, limit: usize) -> std::ops::Range<usize> {
    let inside = |at: i64| at.clamp(0, limit as i64) as usize;
    inside(start.into())..inside(i64::from(start) + length as i64)
}

/// The fixed-width fonts. They have Latin-1 and Greek letters. Other characters become question marks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Font {
    /// 10 x 20 pixels.
    Plain,
    /// 7 x 13 pixels, for exponents.
    Small,
}

impl Font {
    /// The width of a letter and the height of a line.
    pub(super) fn size(self) -> (usize, usize) {
        match self {
            Font::Plain => (10, 20),
            Font::Small => (7, 13),
        }
    }

    /// The width of a line of text.
    pub(super) fn width(self, text: &str) -> usize {
        self.size().0 * text.chars().count()
    }

    fn with_letter(self, letter: char) -> &'static MonoFont<'static> {
        let is_greek = ISO_8859_7.contains(letter) && !letter.is_ascii();
        match (self, is_greek) {
            (Font::Plain, false) => &latin::FONT_10X20,
            (Font::Plain, true) => &greek::FONT_10X20,
            (Font::Small, false) => &latin::FONT_7X13,
            (Font::Small, true) => &greek::FONT_7X13,
        }
    }
}

/// The drawn pixels of a line of text.
struct TextBitmap {
    width: usize,
    height: usize,
    drawn: Vec<bool>,
}

impl TextBitmap {
    fn new(text: &str, font: Font) -> Self {
        let (width, height) = (font.width(text), font.size().1);
        let mut bitmap = TextBitmap { width, height, drawn: vec![false; width * height] };
        for (place, letter) in text.chars().enumerate() {
            // Control characters such as line breaks would move the cursor.
            let letter = if letter.is_control() { '?' } else { letter };
            let style = MonoTextStyle::new(font.with_letter(letter), BinaryColor::On);
            let at = Point::new((place * font.size().0) as i32, 0);
            let Ok(_) =
                Text::with_baseline(letter.encode_utf8(&mut [0; 4]), at, style, Baseline::Top).draw(&mut bitmap);
        }
        bitmap
    }
}

impl OriginDimensions for TextBitmap {
    fn size(&self) -> Size {
        Size::new(self.width as u32, self.height as u32)
    }
}

impl DrawTarget for TextBitmap {
    type Color = BinaryColor;
    type Error = std::convert::Infallible;

    fn draw_iter<I: IntoIterator<Item = Pixel<BinaryColor>>>(&mut self, pixels: I) -> Result<(), Self::Error> {
        for Pixel(at, colour) in pixels {
            let (x, y) = (at.x as usize, at.y as usize);
            // A negative coordinate wraps to a huge one.
            if x < self.width && y < self.height {
                self.drawn[y * self.width + x] = colour.is_on();
            }
        }
        Ok(())
    }
}
