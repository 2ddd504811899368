//! Pictures: heat maps of kernels, alone or side by side, with a colour bar and marks of the classes; plots of lines;
//! animations of either, which are written as GIFs too with feature `gif`.
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

/// Larger numbers could overflow where they are added.
const LARGEST: f64 = 1e300;

/// Whether `x` is finite, and not so large that a sum of such numbers might not be.
fn drawable(x: f64) -> bool {
    x.abs() <= LARGEST
}

/// Whether `hi` is above `lo` by more than rounding.
fn apart(lo: f64, hi: f64) -> bool {
    hi - lo > (1e-12 * lo.abs().max(hi.abs())).max(1e-290)
}
