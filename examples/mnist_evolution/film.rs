//! The kernel in pictures: the first next to the last, and a film of all kernels.

use std::path::Path;

use tangent_kernels::Result;
use tangent_kernels::analysis::trajectory::{Record, Trajectory};
use tangent_kernels::io::png::{Animation, HeatMap, Image, Panels};

use crate::experiment::Watcher;
use crate::options::Options;
use crate::shrunk::Shrunk;
use crate::table::grouped;

/// The figures of appendix B: file, layer, and caption.
pub const FIGURES: [(&str, &str, &str); 5] = [
    ("figure_1_total.png", "total", "The kernel of all layers"),
    ("figure_2_d1.png", "d1", "The component of layer 1"),
    ("figure_3_d2.png", "d2", "The component of layer 2"),
    ("figure_4_d3.png", "d3", "The component of layer 3"),
    ("figure_5_d4.png", "d4", "The component of layer 4"),
];

/// Pixels along a side of the film, and entries: fewer, for all frames are kept and written.
const FILM: usize = 500;
const FILM_ENTRIES: usize = 250;
/// Pixels and entries along a side of a figure's panel.
const PANEL: usize = 600;
/// The duration of the film and of its last frame, in milliseconds.
const DURATION: usize = 12_000;
const END: u16 = 3000;
/// The fraction of entries beyond the ends of the colours. A few, such as those on the diagonal, would darken all others.
const BEYOND: f64 = 0.002;

/// Small pictures of the kernels.
#[derive(Default)]
pub struct Film {
    frames: Vec<Frame>,
    /// The first kernel and the last, for every figure.
    pairs: Vec<[Shrunk; 2]>,
}

struct Frame {
    step: usize,
    loss: f64,
    kernel: Shrunk,
}

impl Watcher for Film {
    fn see(&mut self, record: &Record, trajectory: &Trajectory<'_, f32>) -> Result<()> {
        let kernel = Shrunk::average(&trajectory.last("total")?, FILM_ENTRIES);
        self.frames.push(Frame { step: record.step, loss: record.values[0], kernel });
        Ok(())
    }

    fn end(&mut self, trajectory: &Trajectory<'_, f32>) -> Result<()> {
        let pair = |(_, layer, _): &(&str, &str, &str)| {
            Ok([Shrunk::average(&trajectory.first(layer)?, PANEL), Shrunk::average(&trajectory.last(layer)?, PANEL)])
        };
        self.pairs = FIGURES.iter().map(pair).collect::<Result<_>>()?;
        Ok(())
    }
}

impl Film {
    /// Writes figures and film.
    pub fn save(&self, out: &Path, options: &Options) -> Result<()> {
        for ((file, _, title), pair) in FIGURES.iter().zip(&self.pairs) {
            let range = range(pair.iter());
            let steps = ["before training".to_string(), format!("after {} steps", grouped(options.steps))];
            let map = |(kernel, when): (_, String)| map(kernel, options).range(range[0], range[1]).title(when);
            Panels::new(pair.iter().zip(steps).map(map)).title(*title).save(out.join(file))?;
        }
        let mut films = [Animation::png(out.join("evolution.png"))?, Animation::gif(out.join("evolution.gif"))?];
        let range = range(self.frames.iter().map(|frame| &frame.kernel));
        let last = self.frames.len() - 1;
        let pause = (DURATION / self.frames.len()).clamp(40, 1000) as u16;
        for (k, frame) in self.frames.iter().enumerate() {
            let image = frame.drawn(options, range)?;
            let pause = if k == last { END } else { pause };
            films.iter_mut().try_for_each(|film| film.frame(&image, pause))?;
        }
        films.into_iter().try_for_each(Animation::finish)
    }
}

impl Frame {
    fn drawn(&self, options: &Options, [lo, hi]: [f64; 2]) -> Result<Image> {
        let caption = format!("step {:<8} loss {:.4}", grouped(self.step), self.loss);
        map(&self.kernel, options).range(lo, hi).size(FILM).title("The kernel of all layers").caption(caption).render()
    }
}

fn map<'a>(kernel: &'a Shrunk, options: &Options) -> HeatMap<'a, f32> {
    let classes = [("sixes", options.samples), ("nines", options.samples)];
    HeatMap::new(kernel.side, kernel.side, &kernel.cells)
        .averaged_from(2 * options.samples, 2 * options.samples)
        .classes(&classes)
        .borders(true)
        .label("K(x, x')")
}

/// One scale for several kernels: the range of nearly all of their entries.
fn range<'a>(kernels: impl Iterator<Item = &'a Shrunk>) -> [f64; 2] {
    // A part of the entries is enough for many pictures.
    let mut entries: Vec<f32> = kernels.flat_map(|kernel| kernel.cells.iter().step_by(7).copied()).collect();
    let at = ((entries.len() - 1) as f64 * BEYOND) as usize;
    let last = entries.len() - 1;
    let mut place = |k: usize| f64::from(*entries.select_nth_unstable_by(k, f32::total_cmp).1);
    [place(at), place(last - at)]
}

/// The name of a layer in pictures.
pub fn called(layer: &str) -> String {
    match layer.strip_prefix('d') {
        Some(number) => format!("layer {number}"),
        None => "all layers".into(),
    }
}
