//! Storage of matrices on disk, and the code that all formats share.

use std::fmt::Debug;
use std::ops::{Deref, DerefMut, Range};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use xxhash_rust::xxh3::Xxh3;

use super::kernel_layout::{Header, KernelLayout};
use crate::error::{Error, Result};
use crate::kernel::sink::Region;

/// The side of the squares in which a matrix is transposed. 32 x 32 numbers of 8 bytes are 8 KiB and fit into any
/// first-level cache.
const SQUARE: usize = 32;

/// The two names of a file or folder: while it is written, and when it is complete.
#[derive(Clone, Debug)]
pub(super) struct TargetPaths {
    pub partial: PathBuf,
    pub complete: PathBuf,
}

impl TargetPaths {
    /// The complete name if that file exists, otherwise the partial name.
    pub fn existing(&self) -> &PathBuf {
        if self.complete.exists() { &self.complete } else { &self.partial }
    }
}

/// The matrices of a kernel on disk. Numbers are little-endian bytes here.
pub(super) trait Storage: Debug + Send + Sync + Sized {
    /// The name of the format in a journal.
    const FORMAT: &'static str;

    /// The files or folders of the kernel at `path`. The first one is that of the total.
    fn targets(path: &Path, layout: &KernelLayout) -> Vec<TargetPaths>;

    /// Checks that the format supports a kernel of this layout.
    fn check_layout(_: &KernelLayout) -> Result<()> {
        Ok(())
    }

    /// Creates the files of a kernel under their partial names. Another process may do the same at the same time.
    fn create(targets: &[TargetPaths], header: &Header) -> Result<Self>;

    /// Opens the files that [`create`](Self::create) made, for reading or also for writing.
    fn open(targets: &[TargetPaths], header: &Header, write: bool) -> Result<Self>;

    /// The number of rows of a mirror image that are best written at once.
    fn mirror_rows(&self) -> usize;

    /// Writes the rectangle `area` of a block of a matrix. `bytes` are its entries, row-major.
    fn write(&self, matrix: usize, block: usize, area: &Region, bytes: &[u8]) -> Result<()>;

    /// Reads the rectangle `area` of a block of a matrix.
    fn read(&self, matrix: usize, block: usize, area: &Region, bytes: &mut [u8]) -> Result<()>;

    /// Waits until all written data are on disk.
    fn sync(&self) -> Result<()>;

    /// Writes a region and its mirror image. `bytes` are its entries, `[matrices, blocks, rows, cols]`.
    fn write_region(&self, layout: &KernelLayout, region: &Region, bytes: &[u8], buffers: &Buffers) -> Result<()> {
        for (k, entries) in bytes.chunks_exact(region.entries() * layout.size).enumerate() {
            let (matrix, block) = (k / layout.blocks, k % layout.blocks);
            self.write(matrix, block, region, entries)?;
            if let Some(mirror) = layout.mirror(region) {
                self.write_mirror(layout.size, [matrix, block], region, &mirror, entries, buffers)?;
            }
        }
        Ok(())
    }

    /// Writes the mirror image of a region of one block. `size` is the number of bytes per entry.
    fn write_mirror(
        &self,
        size: usize,
        [matrix, block]: [usize; 2],
        region: &Region,
        mirror: &Region,
        entries: &[u8],
        buffers: &Buffers,
    ) -> Result<()> {
        // The first rows of the region are above the square on the diagonal.
        let width = region.cols.len();
        let above = mirror.cols.len();
        let step = self.mirror_rows().clamp(1, width);
        let mut buffer = buffers.take(step * above * size)?;
        for first in (0..width).step_by(step) {
            let cols = first..width.min(first + step);
            let image = &mut buffer[..cols.len() * above * size];
            transpose(size, &entries[..above * width * size], width, cols.clone(), image);
            let rows = region.cols.start + cols.start..region.cols.start + cols.end;
            self.write(matrix, block, &Region { rows, cols: mirror.cols.clone() }, image)?;
        }
        Ok(())
    }

    /// Compares a region and its mirror image with the checksum `sum`. Returns the fault, if there is one.
    fn find_fault(&self, layout: &KernelLayout, region: &Region, sum: u64, buffers: &Buffers) -> Option<String> {
        match self.checksums(layout, region, buffers) {
            Err(error) => Some(error.to_string()),
            Ok(sums) if sums.direct != sum => Some("its data do not match its checksum".into()),
            Ok(sums) if sums.mirrored.is_some_and(|mirrored| mirrored != sum) => {
                Some("the data of its mirror image do not match its checksum".into())
            }
            Ok(_) => None,
        }
    }

    /// The checksums of a region on disk.
    fn checksums(&self, layout: &KernelLayout, region: &Region, buffers: &Buffers) -> Result<Checksums> {
        let size = layout.size;
        let mirror = layout.mirror(region);
        let image_bytes = mirror.as_ref().map_or(0, |mirror| mirror.entries() * size);
        let mut direct = Xxh3::new();
        let mut mirrored = Xxh3::new();
        let mut entries = buffers.take(region.entries() * size)?;
        let mut image = buffers.take(image_bytes)?;
        for k in 0..layout.matrices.len() * layout.blocks {
            let (matrix, block) = (k / layout.blocks, k % layout.blocks);
            self.read(matrix, block, region, &mut entries)?;
            direct.update(&entries);
            if let Some(mirror) = &mirror {
                // Replaces the upper part of the region by the transposed mirror image.
                self.read(matrix, block, mirror, &mut image)?;
                transpose(size, &image, mirror.cols.len(), 0..mirror.cols.len(), &mut entries[..image_bytes]);
                mirrored.update(&entries);
            }
        }
        Ok(Checksums { direct: direct.digest(), mirrored: mirror.map(|_| mirrored.digest()) })
    }
}

/// The checksum of a region on disk, and the checksum that its mirror image gives.
pub(super) struct Checksums {
    direct: u64,
    mirrored: Option<u64>,
}

/// Writes the transpose of the columns `cols` of `from`, `[.., width]`, to `to`, `[cols, ..]`.
fn transpose(size: usize, from: &[u8], width: usize, cols: Range<usize>, to: &mut [u8]) {
    match size {
        4 => transpose_entries::<4>(from, width, cols, to),
        _ => transpose_entries::<8>(from, width, cols, to),
    }
}

fn transpose_entries<const SIZE: usize>(from: &[u8], width: usize, cols: Range<usize>, to: &mut [u8]) {
    let from = from.as_chunks::<SIZE>().0;
    let to = to.as_chunks_mut::<SIZE>().0;
    let height = from.len() / width;
    for top in (0..height).step_by(SQUARE) {
        let bottom = height.min(top + SQUARE);
        for left in cols.clone().step_by(SQUARE) {
            for col in left..cols.end.min(left + SQUARE) {
                let row = &mut to[(col - cols.start) * height..][top..bottom];
                row.iter_mut().zip(top..bottom).for_each(|(entry, row)| *entry = from[row * width + col]);
            }
        }
    }
}

/// Reusable buffers. Their number is the largest number of threads that used them at once.
#[derive(Debug, Default)]
pub(super) struct Buffers {
    free: Mutex<Vec<Vec<u8>>>,
}

impl Buffers {
    /// A buffer of `bytes` bytes with arbitrary contents. It returns to the pool on drop.
    pub fn take(&self, bytes: usize) -> Result<Buffer<'_>> {
        let mut memory = self.lock().pop().unwrap_or_default();
        if memory.len() < bytes {
            memory.try_reserve_exact(bytes - memory.len()).map_err(|_| {
                Error::memory(format!(
                    "a buffer of {bytes} bytes for a region does not fit in memory: use a smaller side"
                ))
            })?;
            memory.resize(bytes, 0);
        }
        Ok(Buffer { pool: self, memory, bytes })
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Vec<u8>>> {
        self.free.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A buffer from the pool.
pub(super) struct Buffer<'a> {
    pool: &'a Buffers,
    memory: Vec<u8>,
    bytes: usize,
}

impl Deref for Buffer<'_> {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.memory[..self.bytes]
    }
}

impl DerefMut for Buffer<'_> {
    fn deref_mut(&mut self) -> &mut [u8] {
        &mut self.memory[..self.bytes]
    }
}

impl Drop for Buffer<'_> {
    fn drop(&mut self) {
        self.pool.lock().push(std::mem::take(&mut self.memory));
    }
}
