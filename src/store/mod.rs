//! Kernels on disk: written region by region while they are computed, resumable after a crash, shared among processes.
//!
//! [`NpyFile`] writes `.npy` files for numpy. `ZarrStore` (feature `zarr`) writes Zarr stores chunk by chunk. Both are sinks
//! for [`Ntk::fill`](crate::Ntk::fill), and both keep a journal:
//!
//! - Data are written to `NAME.partial`, which is renamed to `NAME` when all data are on disk. An existing `NAME` is never
//!   overwritten.
//! - `NAME.journal` contains the fingerprint of the run (model, samples, options) and the regions on disk, each with a
//!   checksum. A shard has its own journal, `NAME.journal-I-of-N`. A region is recorded after its data are synced, so a
//!   program or a machine may stop at any time. If the same run starts again, it computes the regions that the journals
//!   do not list. Another run is rejected with an error that describes the difference.
//! - [`check`] compares a finished or unfinished kernel with its journals. [`merge`] finishes a kernel that several
//!   processes computed in shards.
//!
//! A journal is locked while it is written, so two processes never compute the same shard.
//!
//! ```
//! use tangent_kernels::kernel::sink::{Frame, RegionData, Sink, Region};
//! use tangent_kernels::store::{self, NpyFile};
//! # let folder = tempfile::tempdir().unwrap();
//! # let path = folder.path().join("kernel.npy");
//!
//! // The calls of `Ntk::fill`, for a kernel of two samples in one region.
//! let frame = Frame {
//!     matrices: vec!["total".into()],
//!     blocks: 1,
//!     rows: 2,
//!     cols: 2,
//!     symmetric: true,
//!     regions: vec![Region { rows: 0..2, cols: 0..2 }],
//!     shard: 0..1,
//!     part: (0, 1),
//!     fingerprint: r#"{ "model": "an example" }"#.into(),
//! };
//! let mut sink = NpyFile::new(&path);
//! Sink::<f64>::begin(&mut sink, &frame)?;
//! sink.put(&RegionData { frame: &frame, index: 0, entries: &[2.0, 1.0, 1.0, 3.0] })?;
//! Sink::<f64>::end(&mut sink, &frame)?;
//!
//! assert!(store::check(&path)?.is_intact());
//! let (shape, entries) = tangent_kernels::io::npy::read::<f64>(&path)?;
//! assert_eq!((shape, entries[3]), (vec![2, 2], 3.0));
//! # Ok::<(), tangent_kernels::Error>(())
//! ```

mod difference;
#[cfg(feature = "zarr")]
mod grid;
mod journal;
mod journals;
mod kernel_layout;
mod npy;
mod paths;
mod positioned;
mod report;
mod run;
mod storage;
#[cfg(feature = "zarr")]
mod zarr;

use std::path::{Path, PathBuf};

use crate::error::Result;
use crate::kernel::sink::{Frame, RegionData, Requirements, Sink};
use crate::real::Real;
use run::Store;

pub use report::{CorruptRegion, RegionLocation, Report, check, merge};

macro_rules! sinks {
    ($($(#[$doc:meta])* $sink:ident in $storage:ty, $side:literal;)*) => {
        $(
            $(#[$doc])*
            #[derive(Debug)]
            pub struct $sink {
                store: Store<$storage>,
                side: usize,
            }

            impl $sink {
                /// A kernel at `path`. No file is created before a run begins.
                pub fn new(path: impl AsRef<Path>) -> Self {
                    $sink { store: Store::new(path.as_ref()), side: $side }
                }

                /// Requests regions of about `side` rows and columns. A crash costs each thread at most one region that it
                /// has computed. A resumed run needs the side of the first run.
                #[must_use]
                pub fn side(mut self, side: usize) -> Self {
                    self.side = side;
                    self
                }

                /// The path of the finished kernel.
                pub fn path(&self) -> &Path {
                    self.store.path()
                }

                /// The path of its data until the kernel is finished.
                pub fn partial(&self) -> PathBuf {
                    paths::with_suffix(self.path(), ".partial")
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

                fn put(&self, data: &RegionData<'_, R>) -> Result<()> {
                    self.store.put(data)
                }

                fn end(&mut self, frame: &Frame) -> Result<()> {
                    self.store.end(frame)
                }
            }
        )*
    };
}

// Rows of 1,024 numbers are pages of 4 or 8 KiB.
sinks! {
    /// A kernel for numpy's `load`: `<f4` or `<f8` in C order, `[rows, cols]`, or `[blocks, rows, cols]` if there are
    /// several blocks. K(X, X) is stored in full, with both triangles.
    ///
    /// Every component has its own file: `K.d1.weight.npy` next to `K.npy` for the parameter `d1.weight`. Special
    /// characters in names are percent-encoded: `%2F` for a slash.
    ///
    /// The [module](self) describes the journal.
    NpyFile in npy::NpyStorage, 1024;
}

#[cfg(feature = "zarr")]
sinks! {
    /// A kernel as a Zarr store of version 3, for zarr-python, zarrs and other readers. The store is a folder. Its root
    /// group contains the array `total` and, if components are requested, the group `components` with one array each.
    ///
    /// Arrays have the type `float32` or `float64` and the shape `[rows, cols]`, or `[blocks, rows, cols]` if there are
    /// several blocks. Each chunk is a square in its own file, `c/I/J` or `c/BLOCK/I/J`, which ends with its crc32c. The
    /// side of a chunk is the width of a region, about [`side`](Self::side), but at most that of K. K(X, X) is stored in
    /// full, with both triangles. Chunks at the edges of K are padded with NaN.
    ///
    /// A component has the name of its parameter, `d1.weight`. Special characters in names are percent-encoded: `%2F` for
    /// a slash. So is the first letter of names that Zarr reserves: `zarr.json` and those that begin with `__`. The
    /// attribute `name` of the array is the original name.
    ///
    /// A region consists of whole chunks, so threads and processes never write the same file. Chunks appear only when
    /// they are complete. Disk space is not reserved in advance. [`check`] names a chunk that is missing or corrupt.
    ///
    /// A run whose regions do not form a grid of squares is rejected. The regions of [`Ntk`](crate::Ntk) always do.
    ///
    /// The [module](self) describes the journal.
    ZarrStore in zarr::ZarrStorage, 1024;
}
