//! Pictures one after the other.

mod apng;
#[cfg(feature = "gif")]
mod gif;

use std::fs::File;
use std::mem;
use std::path::{Path, PathBuf};

use super::canvas::{Area, Image};
use crate::error::{Error, Result};
use crate::io::atomic::Unfinished;

/// An animation that is written frame by frame, as an animated PNG or as a GIF: what a kernel becomes while a network is
/// trained, say.
///
/// ```
/// use tangent_kernels::io::png::{Animation, HeatMap};
/// # let folder = tempfile::tempdir().unwrap();
/// # let path = folder.path().join("training.png");
/// let mut animation = Animation::png(path)?;
/// for step in 0..5 {
///     let kernel = [1.0 + step as f64, 0.3, 0.3, 1.2 + step as f64];
///     let map = HeatMap::new(2, 2, &kernel).range(0.0, 6.0).size(300).caption(format!("step {step}"));
///     animation.frame(&map.render()?, 200)?;
/// }
/// animation.finish()?;
/// # Ok::<(), tangent_kernels::Error>(())
/// ```
///
/// Frames are of one size. A [`range`](super::HeatMap::range) gives equal numbers equal colours in all of them, and a
/// [`caption`](super::HeatMap::caption) says which frame it is without moving anything. The memory needed is that of a few
/// frames, however many there are; of each frame the file holds only the rectangle in which it differs from the one
/// before.
///
/// The file has its name when the animation is [finished](Self::finish); one that is dropped before leaves nothing. The same
/// frames always give the same bytes.
#[must_use = "an animation that is not finished leaves no file"]
pub struct Animation {
    /// Before the file, so that its handles are closed when that is removed.
    state: State,
    start: fn(File, &Image, u16) -> Result<Box<dyn Frames>>,
    plays: u16,
    frames: usize,
    path: PathBuf,
    file: Unfinished,
}

/// A file of one of the formats, after its beginning.
trait Frames: Send {
    /// One more frame, which differs from the one before by `part`, whose upper left corner is at (x, y). The first is whole.
    fn frame(&mut self, part: &Image, at: [usize; 2], milliseconds: u16) -> Result<()>;

    /// Writes what stands at the end, and closes the file.
    fn finish(self: Box<Self>) -> Result<()>;
}

enum State {
    Empty,
    Open { frames: Box<dyn Frames>, last: Image },
    Failed,
}

impl Animation {
    /// An animation to be written to an animated PNG file at `path`, in all colours. Browsers play it; a program that knows
    /// only still pictures shows its first frame.
    ///
    /// Entries that vary at random take about 1.4 bytes each in a frame, and 0.7 in a GIF: 500 x 500 of them 340 and 180 kB.
    ///
    /// # Errors
    /// The file cannot be written; the message names it.
    pub fn png(path: impl AsRef<Path>) -> Result<Self> {
        Animation::create(path.as_ref(), apng::start)
    }

    /// An animation to be written to a GIF file at `path` (feature `gif`), for programs that know no other animations.
    ///
    /// A frame has 256 colours at most. If there are more, as in most heat maps, all are rounded to steps of red, green and
    /// blue that are as fine as that allows and not finer than those of the frames before, so that the colours of what does
    /// not change do not flicker. Times are rounded to hundredths of a second, two at least, since programs take less for
    /// nothing said.
    ///
    /// # Errors
    /// The file cannot be written; the message names it.
    #[cfg(feature = "gif")]
    pub fn gif(path: impl AsRef<Path>) -> Result<Self> {
        Animation::create(path.as_ref(), gif::start)
    }

    fn create(path: &Path, start: fn(File, &Image, u16) -> Result<Box<dyn Frames>>) -> Result<Self> {
        let file = Unfinished::create(path).map_err(|error| cannot_write(path, error))?;
        Ok(Animation { state: State::Empty, start, plays: 0, frames: 0, path: path.into(), file })
    }

    /// Plays the animation so many times, and then shows the last frame; 0, the default, is for ever. What is said after the
    /// first frame has no effect.
    pub fn plays(mut self, times: u16) -> Self {
        self.plays = times;
        self
    }

    /// One more frame, shown for so many milliseconds.
    ///
    /// # Errors
    /// The picture is not as large as those before, larger than the format knows, or its bytes do not fit its size:
    /// [`is_shape`](Error::is_shape); or the file cannot be written. The message names the frame, from 0 on, and the file.
    pub fn frame(&mut self, image: &Image, milliseconds: u16) -> Result<()> {
        let place = format!("frame {}", self.frames);
        self.try_frame(image, milliseconds).map_err(|error| cannot_write(&self.path, error.context(place)))?;
        self.frames += 1;
        Ok(())
    }

    fn try_frame(&mut self, image: &Image, milliseconds: u16) -> Result<()> {
        image.check()?;
        if let State::Open { last, .. } = &self.state
            && (last.width, last.height) != (image.width, image.height)
        {
            let [this, before] = [image, last].map(|image| format!("{} x {}", image.width, image.height));
            return Err(Error::shape(format!("it has {this} pixels, and those before have {before}")));
        }
        let whole = Area { x: 0, y: 0, width: image.width, height: image.height };
        // If anything goes wrong from here on, it stays failed.
        let (mut frames, area) = match mem::replace(&mut self.state, State::Failed) {
            State::Empty => ((self.start)(self.file.handle()?, image, self.plays)?, whole),
            State::Open { frames, last } => (frames, changed(&last, image)),
            State::Failed => return Err(failed()),
        };
        frames.frame(&image.part(area), [area.x as usize, area.y as usize], milliseconds)?;
        self.state = State::Open { frames, last: image.clone() };
        Ok(())
    }

    /// Ends the animation; the file has its name.
    ///
    /// # Errors
    /// There is no frame, one could not be written, or the file cannot be written. The message names the file, which is as it
    /// was before.
    pub fn finish(self) -> Result<()> {
        let Animation { state, path, file, .. } = self;
        let written = match state {
            State::Open { frames, .. } => frames.finish().and_then(|()| file.finish()),
            State::Empty => Err(Error::shape("an animation has one frame at least")),
            State::Failed => Err(failed()),
        };
        written.map_err(|error| cannot_write(&path, error))
    }
}

fn failed() -> Error {
    Error::io("a frame before could not be written")
}

fn cannot_write(path: &Path, error: Error) -> Error {
    error.context(format_args!("cannot write {}", path.display()))
}

/// The smallest rectangle outside of which two pictures of one size are equal, one pixel at least.
fn changed(before: &Image, after: &Image) -> Area {
    let rows = before.rgb.chunks_exact(3 * before.width).zip(after.rgb.chunks_exact(3 * after.width));
    let (mut top, mut bottom, mut left, mut right) = (before.height, 0, before.width, 0);
    for (y, (before, after)) in rows.enumerate().filter(|(_, (before, after))| before != after) {
        let differ = |x: &usize| before[3 * x..3 * x + 3] != after[3 * x..3 * x + 3];
        let mut columns = 0..before.len() / 3;
        left = columns.find(differ).map_or(left, |x| left.min(x));
        right = (0..before.len() / 3).rfind(differ).map_or(right, |x| right.max(x + 1));
        top = top.min(y);
        bottom = y + 1;
    }
    if bottom == 0 {
        return Area { x: 0, y: 0, width: 1, height: 1 };
    }
    Area { x: left as i32, y: top as i32, width: right - left, height: bottom - top }
}
