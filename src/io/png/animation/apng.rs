//! Animated PNG.

use std::fs::File;
use std::io::{BufWriter, Seek, SeekFrom, Write};

use png::{BlendOp, DisposeOp};

use super::Frames;
use crate::error::{Error, Result};
use crate::io::png::canvas::{Image, encoder, encoding_error};

/// The number of bytes up to the end of the chunk with the number of frames: signature, `IHDR` and `acTL`.
const HEADER: usize = 8 + 25 + 20;

struct Apng {
    writer: png::Writer<BufWriter<File>>,
    /// The same file, for the number of frames at its beginning.
    file: File,
    size: [usize; 2],
    plays: u16,
    frames: u32,
}

pub(super) fn start(file: File, first: &Image, plays: u16) -> Result<Box<dyn Frames>> {
    let size = [first.width, first.height];
    // The number of frames is unknown, and the encoder rejects more frames than stated.
    let mut writer = header(BufWriter::new(file.try_clone()?), size, u32::MAX, plays)?;
    writer.set_blend_op(BlendOp::Source).map_err(encoding_error)?;
    writer.set_dispose_op(DisposeOp::None).map_err(encoding_error)?;
    Ok(Box::new(Apng { writer, file, size, plays, frames: 0 }))
}

fn header<W: Write>(out: W, [width, height]: [usize; 2], frames: u32, plays: u16) -> Result<png::Writer<W>> {
    let mut encoder = encoder(out, width, height)?;
    encoder.set_animated(frames, plays.into()).map_err(encoding_error)?;
    // Without filters, heat maps of many entries are smaller by a quarter: few colours, but random neighbours.
    encoder.set_filter(png::Filter::NoFilter);
    encoder.write_header().map_err(encoding_error)
}

impl Frames for Apng {
    fn frame(&mut self, part: &Image, [x, y]: [usize; 2], milliseconds: u16) -> Result<()> {
        let [x, y, width, height] = [x, y, part.width, part.height].map(|pixels| pixels as u32);
        let writer = &mut self.writer;
        // The position is reset first. The new size may not fit at the previous position.
        writer.reset_frame_position().map_err(encoding_error)?;
        writer.set_frame_dimension(width, height).map_err(encoding_error)?;
        writer.set_frame_position(x, y).map_err(encoding_error)?;
        writer.set_frame_delay(milliseconds, 1000).map_err(encoding_error)?;
        writer.write_image_data(&part.rgb).map_err(encoding_error)?;
        self.frames = self
            .frames
            .checked_add(1)
            .ok_or_else(|| Error::shape("the animation has too many frames for a PNG file"))?;
        Ok(())
    }

    fn finish(self: Box<Self>) -> Result<()> {
        let Apng { writer, mut file, size, plays, frames } = *self;
        writer.finish().map_err(encoding_error)?;
        let mut new_header = Vec::new();
        drop(header(&mut new_header, size, frames, plays)?);
        // On drop, the encoder has appended an end.
        new_header.truncate(HEADER);
        file.seek(SeekFrom::Start(0))?;
        file.write_all(&new_header)?;
        Ok(())
    }
}
