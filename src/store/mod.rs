//! Kernels on disk: written unit by unit while they are computed, taken up again after a crash, shared among processes.
//!
//! [`NpyFile`] writes what numpy reads, `ZarrStore` (feature `zarr`) what any reader of Zarr does, chunk by chunk. They are
//! sinks for [`Ntk::fill`](crate::Ntk::fill), and keep books:
//!
//! - Data go to `NAME.partial`, which takes the name `NAME` when all of them are on the disk. What is at `NAME` already is
//!   never written over.
//! - `NAME.journal` says whose kernel it is (the identity: model, samples, options) and which units are on the disk, each
//!   with a checksum; a share of the units has `NAME.journal-I-of-N`. A unit is told of only after its data were synced,
//!   so a program or a machine may stop at any time: the same run, started again, computes what the journals lack.
//!   Another run is refused, and told what differs.
//! - [`check`] reads a finished or unfinished kernel against its journals; [`merge`] finishes one that several processes
//!   computed, each a share.
//!
//! Journals are locked while they are written, so that no two processes compute the same share.
//!
//! ```
//! use tangent_kernels::kernel::sink::{Frame, RegionData, Sink, Region};
//! use tangent_kernels::store::{self, NpyFile};
//! # let folder = tempfile::tempdir().unwrap();
//! # let path = folder.path().join("kernel.npy");
//!
//! // What `Ntk::fill` does, by hand: a kernel of two samples in one unit.
//! let frame = Frame {
//!     matrices: vec!["total".into()],
//!     blocks: 1,
//!     rows: 2,
//!     cols: 2,
//!     symmetric: true,
//!     units: vec![Region { rows: 0..2, cols: 0..2 }],
//!     share: 0..1,
//!     part: (0, 1),
//!     identity: r#"{ "model": "an example" }"#.into(),
//! };
//! let mut sink = NpyFile::new(&path);
//! Sink::<f64>::begin(&mut sink, &frame)?;
//! sink.put(&RegionData { frame: &frame, index: 0, entries: &[2.0, 1.0, 1.0, 3.0] })?;
//! Sink::<f64>::end(&mut sink, &frame)?;
//!
//! assert!(store::check(&path)?.is_whole());
//! let (shape, entries) = tangent_kernels::io::npy::read::<f64>(&path)?;
//! assert_eq!((shape, entries[3]), (vec![2, 2], 3.0));
//! # Ok::<(), tangent_kernels::Error>(())
//! ```

mod books;
mod difference;
mod files;
#[cfg(feature = "zarr")]
mod grid;
mod journal;
mod layout;
mod npy;
mod paths;
mod positioned;
mod report;
mod run;
#[cfg(feature = "zarr")]
mod zarr;

use std::path::{Path, PathBuf};

use crate::error::Result;
use crate::kernel::sink::{Frame, RegionData, Requirements, Sink};
use crate::real::Real;
use run::Store;

pub use report::{Altered, Place, Report, check, merge};

macro_rules! sinks {
    ($($(#[$doc:meta])* $sink:ident of $files:ty, $side:literal;)*) => {
        $(
            $(#[$doc])*
            #[derive(Debug)]
            pub struct $sink {
                store: Store<$files>,
                side: usize,
            }

            impl $sink {
                /// A kernel at `path`. Nothing is touched before a run begins.
                pub fn new(path: impl AsRef<Path>) -> Self {
                    $sink { store: Store::new(path.as_ref()), side: $side }
                }

                /// Asks for units of about `side` rows and columns, which is what a crash can cost each thread. A run
                /// that is taken up again needs the side that it began with.
                #[must_use]
                pub fn side(mut self, side: usize) -> Self {
                    self.side = side;
                    self
                }

                /// Where the kernel will be when it is whole.
                pub fn path(&self) -> &Path {
                    self.store.path()
                }

                /// Where its data are until then.
                pub fn partial(&self) -> PathBuf {
                    paths::with(self.path(), ".partial")
                }
            }

            impl<R: Real> Sink<R> for $sink {
                fn requirements(&self) -> Requirements {
                    Requirements { side: self.side, fingerprint: true, shards: true, bytes_per_entry: 0.0 }
                }

                fn begin(&mut self, frame: &Frame) -> Result<()> {
                    self.store.begin::<R>(frame)
                }

                fn has(&self, index: usize) -> bool {
                    self.store.has(index)
                }

                fn put(&self, part: &RegionData<'_, R>) -> Result<()> {
                    self.store.put(part)
                }

                fn end(&mut self, frame: &Frame) -> Result<()> {
                    self.store.end(frame)
                }
            }
        )*
    };
}

// Rows of 1,024 numbers are pages of 4 or 8 KiB, which files like.
sinks! {
    /// A kernel as numpy's `load` reads it: `<f4` or `<f8` in C order, \[rows, cols\], or \[blocks, rows, cols\] if there
    /// is more than one block. K(X, X) is there in full, both triangles.
    ///
    /// Every component goes to a file of its own: that of `d1.weight` beside `K.npy` is `K.d1.weight.npy`. What no file's
    /// name should hold is there as in an address: `%2F` for a slash.
    ///
    /// See the [module](self) for how it is written.
    NpyFile of npy::Npy, 1024;
}

#[cfg(feature = "zarr")]
sinks! {
    /// A kernel as a Zarr store of version 3, which zarr-python, zarrs and others read: a folder, in which a group has the
    /// array `total` and, if components are asked for, a group `components` with an array for each.
    ///
    /// Arrays are of `float32` or `float64` and of shape \[rows, cols\], or \[blocks, rows, cols\] if there is more than
    /// one block. Chunks are squares, each a file `c/I/J` (or `c/BLOCK/I/J`) that ends with its crc32c; their side is the
    /// width of a unit, about [`side`](Self::side), but no more than K has. K(X, X) is there in full, both triangles. At
    /// K's edges chunks are filled up with NaN.
    ///
    /// A component is named by its parameter, `d1.weight`. What no file's name should hold is there as in an address:
    /// `%2F` for a slash; `zarr.json` and names that begin with `__`, which Zarr keeps for itself, have their first letter
    /// so. The array's attribute `name` is the name as it is.
    ///
    /// A unit is written in chunks of its own, so threads and processes never meet in a file, and no chunk is ever seen
    /// half written. The disk's room is not asked for beforehand. [`check`] names a chunk that is missing or altered.
    ///
    /// A run whose units lie on no grid of squares as wide as they are is refused. Those of [`Ntk`](crate::Ntk) always do.
    ///
    /// See the [module](self) for how it is written.
    ZarrStore of zarr::Zarr, 1024;
}
