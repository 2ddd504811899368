//! GIF.

use std::collections::HashMap;
use std::fs::File;
use std::io::{BufWriter, Write};

use gif::{Encoder, EncodingError, Frame, Repeat};

use super::Frames;
use crate::error::{Error, Result};
use crate::io::png::canvas::Image;

struct Gif {
    encoder: Encoder<BufWriter<File>>,
    /// The number of steps of red, green and blue.
    steps: u8,
}

pub(super) fn start(file: File, first: &Image, plays: u16) -> Result<Box<dyn Frames>> {
    let Image { width, height, .. } = first;
    let (Ok(across @ 1..), Ok(down @ 1..)) = (u16::try_from(*width), u16::try_from(*height)) else {
        return Err(Error::shape(format!(
            "a GIF file cannot hold a picture of {width} x {height}: its sides have 1 to 65535 pixels"
        )));
    };
    let mut encoder = Encoder::new(BufWriter::new(file), across, down, &[]).map_err(encoding_error)?;
    // The file stores the number of repetitions after the first play.
    let repeat = plays.checked_sub(1).map_or(Repeat::Infinite, Repeat::Finite);
    encoder.set_repeat(repeat).map_err(encoding_error)?;
    Ok(Box::new(Gif { encoder, steps: u8::MAX }))
}

impl Frames for Gif {
    fn frame(&mut self, part: &Image, [x, y]: [usize; 2], milliseconds: u16) -> Result<()> {
        let Indexed { palette, pixels } = loop {
            match Indexed::new(&part.rgb, self.steps) {
                Some(indexed) => break indexed,
                // This ends at 4 x 4 x 4 colours at the latest.
                None => self.steps /= 2,
            }
        };
        let [left, top, width, height] = [x, y, part.width, part.height].map(|pixels| pixels as u16);
        let delay = (milliseconds.saturating_add(5) / 10).max(2);
        let (palette, buffer) = (Some(palette), pixels.into());
        let frame = Frame { left, top, width, height, delay, palette, buffer, ..Frame::default() };
        self.encoder.write_frame(&frame).map_err(encoding_error)
    }

    fn finish(self: Box<Self>) -> Result<()> {
        self.encoder.into_inner().map_err(encoding_error)?.flush()?;
        Ok(())
    }
}

/// A picture of colour numbers with a palette.
struct Indexed {
    /// Red, green and blue of each colour, in the order of the colours' first pixels.
    palette: Vec<u8>,
    pixels: Vec<u8>,
}

impl Indexed {
    /// Rounds the colours to `steps` steps. `None` if more than 256 colours remain. White and black do not change.
    fn new(rgb: &[u8], steps: u8) -> Option<Self> {
        let rounded: Vec<u8> = (0..=u8::MAX).map(|part| rounded(part, steps)).collect();
        let mut numbers = HashMap::new();
        let mut palette = Vec::new();
        let mut pixels = Vec::with_capacity(rgb.len() / 3);
        for &colour in rgb.as_chunks::<3>().0 {
            let colour = colour.map(|part| rounded[usize::from(part)]);
            let next = numbers.len();
            let number = *numbers.entry(colour).or_insert(next);
            if number == next {
                palette.extend(colour);
            }
            pixels.push(u8::try_from(number).ok()?);
        }
        Some(Indexed { palette, pixels })
    }
}

/// The nearest of the `steps` + 1 brightnesses from 0 to 255.
fn rounded(part: u8, steps: u8) -> u8 {
    let (part, steps) = (u32::from(part), u32::from(steps));
    let step = (part * steps + 127) / 255;
    ((step * 255 + steps / 2) / steps) as u8
}

fn encoding_error(error: EncodingError) -> Error {
    match error {
        EncodingError::Io(error) => error.into(),
        other => Error::shape(other.to_string()),
    }
}
