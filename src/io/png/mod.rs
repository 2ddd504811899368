//! Pictures: heat maps of kernels with a colour bar and class marks, plots of lines, and animations of both.
//!
//! Animations are written as animated PNG files, or as GIF files with the feature `gif`.
//!
//! ```
//! use tangent_kernels::io::png::HeatMap;
//! # let folder = tempfile::tempdir().unwrap();
//! # let path = folder.path().join("kernel.png");
//! let kernel = [2.0f32, 0.5, 0.4, 0.5, 2.2, 0.3, 0.4, 0.3, 1.9];
//! HeatMap::new(3, 3, &kernel).title("Layer 2").classes(&[("6", 2), ("9", 1)]).label("K(x, x')").save(path)?;
//! # Ok::<(), tangent_kernels::Error>(())
//! ```

mod animation;
mod average;
mod axis;
mod canvas;
mod colours;
mod draw;
mod heat_map;
mod layout;
mod panels;
mod plot;
mod side;
mod ticks;

pub use animation::Animation;
pub use canvas::Image;
pub use heat_map::HeatMap;
pub use panels::Panels;
pub use plot::Plot;

/// The largest number that is drawn. Sums of larger numbers could overflow.
const LARGEST: f64 = 1e300;

/// Whether `x` is finite and at most [`LARGEST`] in size.
fn drawable(x: f64) -> bool {
    x.abs() <= LARGEST
}

/// Whether `hi` exceeds `lo` by more than rounding errors.
fn apart(lo: f64, hi: f64) -> bool {
    hi - lo > (1e-12 * lo.abs().max(hi.abs())).max(1e-290)
}
