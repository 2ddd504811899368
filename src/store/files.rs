//! Where the numbers lie on disk, and what all ways of laying them have in common.

use std::fmt::Debug;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use xxhash_rust::xxh3::Xxh3;

use super::layout::{Header, Layout};
use crate::error::{Error, Result};
use crate::kernel::sink::Region;

/// The side of the squares in which a matrix is transposed: 32 x 32 numbers of 8 bytes are 8 KiB, a part of any first
/// cache.
const SQUARE: usize = 32;

/// A file or folder, before and after it is whole.
#[derive(Clone, Debug)]
pub(super) struct Pair {
    pub partial: PathBuf,
    pub whole: PathBuf,
}

impl Pair {
    /// The one of the two that there is; the partial one if there is none.
    pub fn there(&self) -> &PathBuf {
        if self.whole.exists() { &self.whole } else { &self.partial }
    }
}

/// Matrices on disk. Numbers are bytes here, little-endian.
pub(super) trait Files: Debug + Send + Sync + Sized {
    /// Its name in a journal.
    const FORMAT: &'static str;

    /// The files or folders of the kernel at `path`; the first is that of the total.
    fn pairs(path: &std::path::Path, layout: &Layout) -> Vec<Pair>;

    /// Can it hold a kernel of this layout?
    fn fits(_: &Layout) -> Result<()> {
        Ok(())
    }

    /// Makes room for a kernel at the partial names. Another process may do the same at the same time.
    fn create(pairs: &[Pair], header: &Header) -> Result<Self>;

    /// Opens what [`create`](Self::create) made, to be read or also to be written.
    fn open(pairs: &[Pair], header: &Header, write: bool) -> Result<Self>;

    /// How many rows of a mirror image are best written at once.
    fn strip(&self) -> usize;

    /// Writes the rectangle `area` of a block of a matrix: `bytes` are its entries, row-major.
    fn write(&self, matrix: usize, block: usize, area: &Region, bytes: &[u8]) -> Result<()>;

    /// Reads it.
    fn read(&self, matrix: usize, block: usize, area: &Region, bytes: &mut [u8]) -> Result<()>;

    /// Waits until all that was written is on the disk.
    fn sync(&self) -> Result<()>;

    /// Writes a unit, and its mirror image: `bytes` are its entries, \[matrices, blocks, rows, cols\].
    fn put(&self, layout: &Layout, region: &Region, bytes: &[u8], buffers: &Buffers) -> Result<()> {
        let size = layout.size;
        for (k, entries) in bytes.chunks_exact(region.entries() * size).enumerate() {
            let (matrix, block) = (k / layout.blocks, k % layout.blocks);
            self.write(matrix, block, region, entries)?;
            let Some(mirror) = layout.mirror(region) else { continue };
            // The rows above the diagonal's square are the first ones.
            let (width, above) = (region.cols.len(), mirror.cols.len());
            let strip = self.strip().clamp(1, width);
            buffers.with(strip * above * size, |buffer| {
                for first in (0..width).step_by(strip) {
                    let cols = first..width.min(first + strip);
                    let image = &mut buffer[..cols.len() * above * size];
                    transpose(size, &entries[..above * width * size], width, cols.clone(), image);
                    let rows = region.cols.start + cols.start..region.cols.start + cols.end;
                    self.write(matrix, block, &Region { rows, cols: mirror.cols.clone() }, image)?;
                }
                Ok(())
            })?;
        }
        Ok(())
    }

    /// What is wrong with a unit whose entries had the checksum `sum`, if anything is.
    fn fault(&self, layout: &Layout, region: &Region, sum: u64, buffers: &Buffers) -> Option<String> {
        let size = layout.size;
        let mirror = layout.mirror(region);
        let image_bytes = mirror.as_ref().map_or(0, |mirror| mirror.entries() * size);
        let (mut direct, mut mirrored) = (Xxh3::new(), Xxh3::new());
        let read = buffers.with(region.entries() * size, |entries| {
            buffers.with(image_bytes, |image| {
                for k in 0..layout.matrices.len() * layout.blocks {
                    let (matrix, block) = (k / layout.blocks, k % layout.blocks);
                    self.read(matrix, block, region, entries)?;
                    direct.update(entries);
                    if let Some(mirror) = &mirror {
                        // As the unit looks from below the diagonal.
                        self.read(matrix, block, mirror, image)?;
                        transpose(size, image, mirror.cols.len(), 0..mirror.cols.len(), &mut entries[..image_bytes]);
                        mirrored.update(entries);
                    }
                }
                Ok(())
            })
        });
        match read {
            Err(error) => Some(error.to_string()),
            Ok(()) if direct.digest() != sum => Some("its data do not have its checksum".into()),
            Ok(()) if mirror.is_some() && mirrored.digest() != sum => {
                Some("the data of its mirror image do not have its checksum".into())
            }
            Ok(()) => None,
        }
    }
}

/// Writes the transpose of the columns `cols` of `from`, \[.., width\], to `to`, \[cols, ..\].
fn transpose(size: usize, from: &[u8], width: usize, cols: std::ops::Range<usize>, to: &mut [u8]) {
    match size {
        4 => transposed::<4>(from, width, cols, to),
        _ => transposed::<8>(from, width, cols, to),
    }
}

fn transposed<const SIZE: usize>(from: &[u8], width: usize, cols: std::ops::Range<usize>, to: &mut [u8]) {
    let (from, to) = (from.as_chunks::<SIZE>().0, to.as_chunks_mut::<SIZE>().0);
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

/// Buffers that are used again: as many as there were threads at one time.
#[derive(Debug, Default)]
pub(super) struct Buffers {
    free: Mutex<Vec<Vec<u8>>>,
}

impl Buffers {
    /// Does something with a buffer of `bytes` bytes, which hold anything.
    pub fn with<T>(&self, bytes: usize, work: impl FnOnce(&mut [u8]) -> Result<T>) -> Result<T> {
        let free = || self.free.lock().unwrap_or_else(PoisonError::into_inner);
        let mut buffer = free().pop().unwrap_or_default();
        if buffer.len() < bytes {
            buffer
                .try_reserve_exact(bytes - buffer.len())
                .map_err(|_| Error::memory(format!("a unit's {bytes} bytes do not fit in memory")))?;
            buffer.resize(bytes, 0);
        }
        let done = work(&mut buffer[..bytes]);
        free().push(buffer);
        done
    }
}
