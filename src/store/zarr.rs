//! A kernel in a Zarr store, version 3: a folder with a file for each chunk of each matrix.

use std::collections::BTreeSet;
use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use serde_json::{Value, json};

use super::files::{Buffers, Files, Pair};
use super::grid::Grid;
use super::layout::{Header, Layout};
use super::paths::{self, at};
use crate::error::{Error, Result};
use crate::kernel::sink::Region;

/// What every node of a store is told by.
const METADATA: &str = "zarr.json";
/// The folder of the components' arrays.
const COMPONENTS: &str = "components";
/// The bytes of the checksum at the end of a chunk.
const SUM: usize = 4;

/// The arrays of a kernel.
#[derive(Debug)]
pub(super) struct Zarr {
    arrays: Vec<PathBuf>,
    blocks: usize,
    size: usize,
    grid: Grid,
    /// Chunks that may not be on the disk yet.
    written: Mutex<Vec<PathBuf>>,
    buffers: Buffers,
}

impl Zarr {
    fn of(root: &Path, layout: &Layout) -> Result<Self> {
        Ok(Zarr {
            arrays: arrays(root, layout),
            blocks: layout.blocks,
            size: layout.size,
            grid: Grid::new(layout)?,
            written: Mutex::default(),
            buffers: Buffers::default(),
        })
    }

    /// The folder of a row of chunks: `c/I`, or `c/BLOCK/I`.
    fn row(&self, matrix: usize, block: usize, i: usize) -> PathBuf {
        let chunks = self.arrays[matrix].join("c");
        if self.blocks == 1 { chunks.join(i.to_string()) } else { chunks.join(format!("{block}/{i}")) }
    }

    fn file(&self, matrix: usize, block: usize, [i, j]: [usize; 2]) -> PathBuf {
        self.row(matrix, block, i).join(j.to_string())
    }

    /// The bytes of a chunk's file.
    fn length(&self) -> usize {
        self.grid.entries() * self.size + SUM
    }

    /// Calls `work` for every row that `area` and a chunk have in common: with where it lies in the area's bytes, and
    /// where in the chunk's.
    fn common(
        &self,
        area: &Region,
        at: [usize; 2],
        mut work: impl FnMut(std::ops::Range<usize>, std::ops::Range<usize>),
    ) {
        let chunk = self.grid.place(at);
        let rows = area.rows.start.max(chunk.rows.start)..area.rows.end.min(chunk.rows.end);
        let cols = area.cols.start.max(chunk.cols.start)..area.cols.end.min(chunk.cols.end);
        let range = |row: usize, whole: &Region, width: usize| {
            let first = (row - whole.rows.start) * width + cols.start - whole.cols.start;
            first * self.size..(first + cols.len()) * self.size
        };
        rows.for_each(|row| work(range(row, area, area.cols.len()), range(row, &chunk, self.grid.chunk[1])));
    }

    /// Fills a chunk's bytes with what `area` has of it, NaN where there is no matrix, and the checksum.
    fn pack(&self, area: &Region, at: [usize; 2], bytes: &[u8], chunk: &mut [u8]) {
        let (entries, sum) = chunk.split_at_mut(chunk.len() - SUM);
        match self.size {
            4 => entries.as_chunks_mut().0.fill(f32::NAN.to_le_bytes()),
            _ => entries.as_chunks_mut().0.fill(f64::NAN.to_le_bytes()),
        }
        self.common(area, at, |from, to| entries[to].copy_from_slice(&bytes[from]));
        sum.copy_from_slice(&crc32c::crc32c(entries).to_le_bytes());
    }

    /// Reads a chunk's file.
    fn load(&self, path: &Path, chunk: &mut [u8]) -> Result<()> {
        let mut file = fs::File::open(path).map_err(|error| at(path)(error).context("a chunk cannot be opened"))?;
        let (length, expected) = (file.metadata().map_err(at(path))?.len(), chunk.len() as u64);
        if length != expected {
            let path = path.display();
            return Err(Error::format(format!("{path} has {length} bytes where a chunk has {expected}")));
        }
        std::io::Read::read_exact(&mut file, chunk).map_err(at(path))?;
        let (entries, sum) = chunk.split_at(chunk.len() - SUM);
        if crc32c::crc32c(entries).to_le_bytes() != sum {
            return Err(Error::format(format!("{} does not have its checksum: it was altered", path.display())));
        }
        Ok(())
    }
}

impl Files for Zarr {
    const FORMAT: &'static str = "zarr";

    fn pairs(path: &Path, _: &Layout) -> Vec<Pair> {
        vec![Pair { partial: paths::with(path, ".partial"), whole: path.to_owned() }]
    }

    fn fits(layout: &Layout) -> Result<()> {
        Grid::new(layout).map(|_| ())
    }

    fn create(pairs: &[Pair], header: &Header) -> Result<Self> {
        let (root, layout) = (&pairs[0].partial, &header.layout);
        let zarr = Zarr::of(root, layout)?;
        let mut folders = BTreeSet::from([paths::folder(root).to_owned()]);
        let rows = zarr.grid.counts()[0];
        for matrix in 0..zarr.arrays.len() {
            // A matrix without rows has its folder too.
            make(&zarr.arrays[matrix].join("c"), root, &mut folders)?;
            for block in 0..zarr.blocks {
                (0..rows).try_for_each(|i| make(&zarr.row(matrix, block, i), root, &mut folders))?;
            }
        }
        for (path, node) in nodes(root, layout, &zarr.grid) {
            describe(&path, &node)?;
        }
        folders.iter().try_for_each(|folder| paths::sync_folder(folder))?;
        Ok(zarr)
    }

    fn open(pairs: &[Pair], header: &Header, _: bool) -> Result<Self> {
        let (root, layout) = (pairs[0].there(), &header.layout);
        let zarr = Zarr::of(root, layout)?;
        for (path, node) in nodes(root, layout, &zarr.grid) {
            let there = fs::read(&path).map_err(|error| {
                at(&path)(error).context("the journal tells of units, but their array cannot be opened")
            })?;
            if there != text(&node) {
                return Err(Error::format(format!("{} is not what its journal says", path.display())));
            }
        }
        Ok(zarr)
    }

    fn strip(&self) -> usize {
        // Rows of whole chunks: a unit is no wider than one, so that is all of its mirror image.
        self.grid.chunk[0]
    }

    fn write(&self, matrix: usize, block: usize, area: &Region, bytes: &[u8]) -> Result<()> {
        self.buffers.with(self.length(), |chunk| {
            for place in self.grid.touched(area) {
                let path = self.file(matrix, block, place);
                self.pack(area, place, bytes, chunk);
                let partial = paths::with(&path, ".partial");
                fs::write(&partial, &*chunk).map_err(at(&partial))?;
                fs::rename(&partial, &path).map_err(at(&path))?;
                self.written.lock().unwrap_or_else(PoisonError::into_inner).push(path);
            }
            Ok(())
        })
    }

    fn read(&self, matrix: usize, block: usize, area: &Region, bytes: &mut [u8]) -> Result<()> {
        self.buffers.with(self.length(), |chunk| {
            for place in self.grid.touched(area) {
                self.load(&self.file(matrix, block, place), chunk)?;
                self.common(area, place, |to, from| bytes[to].copy_from_slice(&chunk[from]));
            }
            Ok(())
        })
    }

    fn sync(&self) -> Result<()> {
        let written = std::mem::take(&mut *self.written.lock().unwrap_or_else(PoisonError::into_inner));
        for path in &written {
            // Windows syncs only what may be written.
            let file = OpenOptions::new().write(true).open(path).map_err(at(path))?;
            file.sync_data().map_err(at(path))?;
        }
        let folders: BTreeSet<&Path> = written.iter().map(|path| paths::folder(path)).collect();
        folders.into_iter().try_for_each(paths::sync_folder)
    }
}

/// Makes a folder and those above it up to `root`, and adds them to `folders`.
fn make(folder: &Path, root: &Path, folders: &mut BTreeSet<PathBuf>) -> Result<()> {
    // It does not mind if another process is faster.
    fs::create_dir_all(folder).map_err(at(folder))?;
    folders.extend(folder.ancestors().take_while(|above| above.starts_with(root)).map(Path::to_owned));
    Ok(())
}

/// Writes the metadata of a node. In place: of two processes that do so both write the same.
fn describe(path: &Path, node: &Value) -> Result<()> {
    let text = text(node);
    let mut file = OpenOptions::new().write(true).create(true).truncate(false).open(path).map_err(at(path))?;
    let written = file.write_all(&text).and_then(|()| file.set_len(text.len() as u64)).and_then(|()| file.sync_data());
    written.map_err(at(path))
}

fn text(node: &Value) -> Vec<u8> {
    format!("{node:#}\n").into_bytes()
}

/// The folders of the matrices.
fn arrays(root: &Path, layout: &Layout) -> Vec<PathBuf> {
    let components = layout.matrices.iter().skip(1).map(|name| root.join(COMPONENTS).join(component(name)));
    // The total is the first; no component's folder is its.
    std::iter::once(root.join("total")).chain(components).collect()
}

/// A parameter's name as that of a folder. Of the names that files may have, Zarr keeps some for itself.
fn component(name: &str) -> String {
    let safe = paths::component(name);
    match safe.as_bytes() {
        [] => "%".into(),
        [first, rest @ ..] if safe == METADATA || safe.starts_with("__") => {
            format!("%{first:02X}{}", String::from_utf8_lossy(rest))
        }
        _ => safe,
    }
}

/// The files of metadata and what they say, groups first.
fn nodes(root: &Path, layout: &Layout, grid: &Grid) -> Vec<(PathBuf, Value)> {
    let group = json!({ "zarr_format": 3, "node_type": "group", "attributes": {} });
    let mut groups = vec![root.to_owned()];
    if layout.matrices.len() > 1 {
        groups.push(root.join(COMPONENTS));
    }
    let groups = groups.into_iter().map(|folder| (folder.join(METADATA), group.clone()));
    let matrices = arrays(root, layout).into_iter().zip(&layout.matrices);
    groups.chain(matrices.map(|(folder, name)| (folder.join(METADATA), array(name, layout, grid)))).collect()
}

/// What an array is told by.
fn array(name: &str, layout: &Layout, grid: &Grid) -> Value {
    let blocked = |[rows, cols]: [usize; 2], blocks: usize| match layout.blocks {
        1 => vec![rows, cols],
        _ => vec![blocks, rows, cols],
    };
    json!({
        "zarr_format": 3,
        "node_type": "array",
        "shape": blocked([layout.rows, layout.cols], layout.blocks),
        "data_type": if layout.size == 4 { "float32" } else { "float64" },
        "chunk_grid": { "name": "regular", "configuration": { "chunk_shape": blocked(grid.chunk, 1) } },
        "chunk_key_encoding": { "name": "default", "configuration": { "separator": "/" } },
        "fill_value": "NaN",
        "codecs": [{ "name": "bytes", "configuration": { "endian": "little" } }, { "name": "crc32c" }],
        "attributes": { "name": name },
    })
}

#[cfg(test)]
mod tests {
    use super::component;

    #[test]
    fn no_component_has_a_name_that_zarr_keeps() {
        let names = ["d1.weight", "a/b", "..", "", "zarr.json", "%7Aarr.json", "__x", "_x"];
        let folders = ["d1.weight", "a%2Fb", "%2E.", "%", "%7Aarr.json", "%257Aarr.json", "%5F_x", "_x"];
        assert_eq!(names.map(component), folders);
    }
}
