//! Animated PNG.

use std::fs::File;
use std::io::{BufWriter, Seek, SeekFrom, Write};

use png::{BlendOp, DisposeOp};

use super::Frames;
use crate::error::{Error, Result};
use crate::io::png::canvas::{Image, encoder, refused};

/// The bytes up to the end of the chunk that says how many frames there are: signature, `IHDR` and `acTL`.
const HEADER: usize = 8 + 25 + 20;

struct Apng {
    writer: png::Writer<BufWriter<File>>,
    /// The same file, to say at its beginning how many frames there are.
    file: File,
    size: [usize; 2],
    plays: u16,
    frames: u32,
}

pub(super) fn start(file: File, first: &Image, plays: u16) -> Result<Box<dyn Frames>> {
    let size = [first.width, first.height];
    // More frames than ever come, since the encoder refuses those beyond.
    let mut writer = header(BufWriter::new(file.try_clone()?), size, u32::MAX, plays)?;
    writer.set_blend_op(BlendOp::Source).map_err(refused)?;
    writer.set_dispose_op(DisposeOp::None).map_err(refused)?;
    Ok(Box::new(Apng { writer, file, size, plays, frames: 0 }))
}

fn header<W: Write>(out: W, [width, height]: [usize; 2], frames: u32, plays: u16) -> Result<png::Writer<W>> {
    let mut encoder = encoder(out, width, height)?;
    encoder.set_animated(frames, plays.into()).map_err(refused)?;
    // Heat maps of many entries are smaller by a quarter without: they have few colours, but neighbours differ at random.
    encoder.set_filter(png::Filter::NoFilter);
    encoder.write_header().map_err(refused)
}

impl Frames for Apng {
    fn frame(&mut self, part: &Image, [x, y]: [usize; 2], milliseconds: u16) -> Result<()> {
        let [x, y, width, height] = [x, y, part.width, part.height].map(|pixels| pixels as u32);
        let writer = &mut self.writer;
        // At the corner before it is sized: the part before may be where the new size has no room.
        writer.reset_frame_position().map_err(refused)?;
        writer.set_frame_dimension(width, height).map_err(refused)?;
        writer.set_frame_position(x, y).map_err(refused)?;
        writer.set_frame_delay(milliseconds, 1000).map_err(refused)?;
        writer.write_image_data(&part.rgb).map_err(refused)?;
        self.frames = self.frames.checked_add(1).ok_or_else(|| Error::shape("no PNG file has so many frames"))?;
        Ok(())
    }

    fn finish(self: Box<Self>) -> Result<()> {
        let Apng { writer, mut file, size, plays, frames } = *self;
        writer.finish().map_err(refused)?;
        let mut again = Vec::new();
        drop(header(&mut again, size, frames, plays)?);
        // The encoder, dropped, has added an end to it.
        again.truncate(HEADER);
        file.seek(SeekFrom::Start(0))?;
        file.write_all(&again)?;
        Ok(())
    }
}
