//! Animations.

mod apng;
#[cfg(feature = "gif")]
mod gif;

use std::fs::File;
use std::mem;
use std::path::{Path, PathBuf};

use super::canvas::{Area, Image};
use crate::error::{Error, Result};
use crate::io::atomic::Unfinished;

/// An animation that is written frame by frame, as an animated PNG or as a GIF, such as a kernel along training.
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
/// All frames have the same size. A [`range`](super::HeatMap::range) gives equal numbers equal colours in all frames, and a
/// [`caption`](super::HeatMap::caption) labels a frame without changing the layout. The memory is that of a few frames for
/// any length. For each frame the file stores only the rectangle that differs from the previous frame.
///
/// The file appears when the animation is [finished](Self::finish). An unfinished animation leaves no file. The same frames
/// always give the same bytes.
#[must_use = "an animation that is not finished leaves no file"]
pub struct Animation {
    /// Declared before the file, so its handles are closed before the file is removed.
    state: State,
    start: fn(File, &Image, u16) -> Result<Box<dyn Frames>>,
    plays: u16,
    frames: usize,
    path: PathBuf,
    file: Unfinished,
}

/// A file of one of the formats, after its header.
trait Frames: Send {
    /// Adds a frame that differs from the previous one by `part`, with its upper left corner at `corner`. The first part is a
    /// whole frame.
    fn frame(&mut self, part: &Image, corner: [usize; 2], milliseconds: u16) -> Result<()>;

    /// Writes the end of the file and closes it.
    fn finish(self: Box<Self>) -> Result<()>;
}

enum State {
    Empty,
    Open { frames: Box<dyn Frames>, last: Image },
    Failed,
}

impl Animation {
    /// An animated PNG file at `path`, in all colours. Browsers play it. Programs without support for animations show its
    /// first frame.
    ///
    /// Random entries take about 1.4 bytes each in a frame, and 0.7 in a GIF: 340 and 180 kB for 500 x 500 entries.
    ///
    /// # Errors
    /// The file cannot be written. The message names it.
    pub fn png(path: impl AsRef<Path>) -> Result<Self> {
        Animation::create(path.as_ref(), apng::start)
    }

    /// A GIF file at `path` (feature `gif`), for programs that support no other animations.
    ///
    /// A frame has at most 256 colours. If it has more, as in most heat maps, the colours are rounded to steps of red, green
    /// and blue. The steps are as fine as possible, but never finer than in earlier frames, so unchanged parts do not flicker.
    /// Times are rounded to hundredths of a second, at least two, because many programs ignore shorter times.
    ///
    /// # Errors
    /// The file cannot be written. The message names it.
    #[cfg(feature = "gif")]
    pub fn gif(path: impl AsRef<Path>) -> Result<Self> {
        Animation::create(path.as_ref(), gif::start)
    }

    fn create(path: &Path, start: fn(File, &Image, u16) -> Result<Box<dyn Frames>>) -> Result<Self> {
        let file = Unfinished::create(path).map_err(|error| cannot_write(path, error))?;
        Ok(Animation { state: State::Empty, start, plays: 0, frames: 0, path: path.into(), file })
    }

    /// Plays the animation `times` times, then shows the last frame. The default, 0, repeats without end. Call it before the
    /// first frame: later calls have no effect.
    pub fn plays(mut self, times: u16) -> Self {
        self.plays = times;
        self
    }

    /// Adds a frame that is shown for `milliseconds`.
    ///
    /// # Errors
    /// The picture has another size than the previous frames, is too large for the format, or its bytes do not match its
    /// size: [`is_shape`](Error::is_shape). Or the file cannot be written. The message names the frame, from 0 on, and the
    /// file.
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
            return Err(Error::shape(format!(
                "the frame has {this} pixels, but the previous frames have {before}: use one size"
            )));
        }
        let whole = Area { x: 0, y: 0, width: image.width, height: image.height };
        // After an error below, the state stays `Failed`.
        let (mut frames, area) = match mem::replace(&mut self.state, State::Failed) {
            State::Empty => ((self.start)(self.file.handle()?, image, self.plays)?, whole),
            State::Open { frames, last } => (frames, changed(&last, image)),
            State::Failed => return Err(failed()),
        };
        frames.frame(&image.part(area), [area.x as usize, area.y as usize], milliseconds)?;
        self.state = State::Open { frames, last: image.clone() };
        Ok(())
    }

    /// Ends the animation and gives the file its name.
    ///
    /// # Errors
    /// There is no frame, a frame could not be written, or the file cannot be written. The message names the file. A previous
    /// file at this path is unchanged.
    pub fn finish(self) -> Result<()> {
        let Animation { state, path, file, .. } = self;
        let written = match state {
            State::Open { frames, .. } => frames.finish().and_then(|()| file.finish()),
            State::Empty => Err(Error::shape("an animation needs at least one frame")),
            State::Failed => Err(failed()),
        };
        written.map_err(|error| cannot_write(&path, error))
    }
}

fn failed() -> Error {
    Error::io("an earlier frame could not be written: create the animation again")
}

fn cannot_write(path: &Path, error: Error) -> Error {
    error.context(format_args!("cannot write {}", path.display()))
}

/// The smallest rectangle that contains all differences of two pictures of one size. It has at least one pixel.
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
