//! A kernel in a Zarr store of version 3: a folder with one file per chunk of each matrix.

use std::collections::BTreeSet;
use std::fs::{self, OpenOptions};
use std::io::{Read as _, Write as _};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use serde_json::{Value, json};

use super::grid::Grid;
use super::kernel_layout::{Header, KernelLayout};
use super::paths::{self, io_error};
use super::storage::{Buffers, Storage, TargetPaths};
use crate::error::{Error, Result};
use crate::kernel::sink::Region;

/// The metadata file of every node of a store.
const METADATA: &str = "zarr.json";
/// The folder of the components' arrays.
const COMPONENTS: &str = "components";
/// The number of bytes of the checksum at the end of a chunk.
const SUM_BYTES: usize = 4;

/// The arrays of a kernel.
#[derive(Debug)]
pub(super) struct ZarrStorage {
    arrays: Vec<PathBuf>,
    blocks: usize,
    size: usize,
    grid: Grid,
    /// Chunks that may not be on the disk yet.
    written: Mutex<Vec<PathBuf>>,
    buffers: Buffers,
}

impl ZarrStorage {
    fn new(root: &Path, layout: &KernelLayout) -> Result<Self> {
        Ok(ZarrStorage {
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

    /// The number of bytes of a chunk's file.
    fn length(&self) -> usize {
        self.grid.entries() * self.size + SUM_BYTES
    }

    /// The rows that `area` and a chunk have in common, as byte ranges of both.
    fn common_rows(&self, area: &Region, chunk: [usize; 2]) -> Vec<CommonRow> {
        let inside = self.grid.region(chunk);
        let rows = area.rows.start.max(inside.rows.start)..area.rows.end.min(inside.rows.end);
        let cols = area.cols.start.max(inside.cols.start)..area.cols.end.min(inside.cols.end);
        let range = |row: usize, whole: &Region, width: usize| {
            let first = (row - whole.rows.start) * width + cols.start - whole.cols.start;
            first * self.size..(first + cols.len()) * self.size
        };
        let width = self.grid.chunk[1];
        rows.map(|row| CommonRow { area: range(row, area, area.cols.len()), chunk: range(row, &inside, width) })
            .collect()
    }

    /// Fills a chunk's bytes: the entries of `area`, NaN beyond the matrix, and the checksum.
    fn pack(&self, area: &Region, chunk: [usize; 2], area_bytes: &[u8], chunk_bytes: &mut [u8]) {
        let (entries, sum) = chunk_bytes.split_at_mut(chunk_bytes.len() - SUM_BYTES);
        match self.size {
            4 => entries.as_chunks_mut().0.fill(f32::NAN.to_le_bytes()),
            _ => entries.as_chunks_mut().0.fill(f64::NAN.to_le_bytes()),
        }
        for row in self.common_rows(area, chunk) {
            entries[row.chunk].copy_from_slice(&area_bytes[row.area]);
        }
        sum.copy_from_slice(&crc32c::crc32c(entries).to_le_bytes());
    }

    /// Reads a chunk's file.
    fn load(&self, path: &Path, chunk: &mut [u8]) -> Result<()> {
        let mut file =
            fs::File::open(path).map_err(|error| io_error(path)(error).context("a chunk cannot be opened"))?;
        let length = file.metadata().map_err(io_error(path))?.len();
        let expected = chunk.len() as u64;
        if length != expected {
            let path = path.display();
            return Err(Error::format(format!("{path} has {length} bytes, but a chunk has {expected}")));
        }
        file.read_exact(chunk).map_err(io_error(path))?;
        let (entries, sum) = chunk.split_at(chunk.len() - SUM_BYTES);
        if crc32c::crc32c(entries).to_le_bytes() != sum {
            return Err(Error::format(format!("the data of {} do not match their checksum", path.display())));
        }
        Ok(())
    }
}

/// A row that an area and a chunk have in common: its bytes in the area's bytes and in the chunk's bytes.
struct CommonRow {
    area: Range<usize>,
    chunk: Range<usize>,
}

impl Storage for ZarrStorage {
    const FORMAT: &'static str = "zarr";

    fn targets(path: &Path, _: &KernelLayout) -> Vec<TargetPaths> {
        vec![TargetPaths { partial: paths::with_suffix(path, ".partial"), complete: path.to_owned() }]
    }

    fn check_layout(layout: &KernelLayout) -> Result<()> {
        Grid::new(layout).map(|_| ())
    }

    fn create(targets: &[TargetPaths], header: &Header) -> Result<Self> {
        let root = &targets[0].partial;
        let layout = &header.layout;
        let storage = ZarrStorage::new(root, layout)?;
        let mut folders = BTreeSet::from([paths::folder(root).to_owned()]);
        let rows = storage.grid.counts()[0];
        for matrix in 0..storage.arrays.len() {
            // A matrix without rows also needs its folder.
            create_folder(&storage.arrays[matrix].join("c"), root, &mut folders)?;
            for block in 0..storage.blocks {
                (0..rows).try_for_each(|i| create_folder(&storage.row(matrix, block, i), root, &mut folders))?;
            }
        }
        for (path, node) in nodes(root, layout, &storage.grid) {
            write_node(&path, &node)?;
        }
        folders.iter().try_for_each(|folder| paths::sync_folder(folder))?;
        Ok(storage)
    }

    fn open(targets: &[TargetPaths], header: &Header, _: bool) -> Result<Self> {
        let root = targets[0].existing();
        let layout = &header.layout;
        let storage = ZarrStorage::new(root, layout)?;
        for (path, node) in nodes(root, layout, &storage.grid) {
            let stored = fs::read(&path).map_err(|error| {
                io_error(&path)(error).context("the journal lists regions, but their array cannot be opened")
            })?;
            if stored != node_text(&node) {
                return Err(Error::format(format!("{} does not match its journal", path.display())));
            }
        }
        Ok(storage)
    }

    fn mirror_rows(&self) -> usize {
        // One row of whole chunks. A region is not wider than a chunk, so this is its whole mirror image.
        self.grid.chunk[0]
    }

    fn write(&self, matrix: usize, block: usize, area: &Region, bytes: &[u8]) -> Result<()> {
        let mut chunk_bytes = self.buffers.take(self.length())?;
        for chunk in self.grid.overlapping(area) {
            let path = self.file(matrix, block, chunk);
            self.pack(area, chunk, bytes, &mut chunk_bytes);
            let partial = paths::with_suffix(&path, ".partial");
            fs::write(&partial, &*chunk_bytes).map_err(io_error(&partial))?;
            fs::rename(&partial, &path).map_err(io_error(&path))?;
            self.written.lock().unwrap_or_else(PoisonError::into_inner).push(path);
        }
        Ok(())
    }

    fn read(&self, matrix: usize, block: usize, area: &Region, bytes: &mut [u8]) -> Result<()> {
        let mut chunk_bytes = self.buffers.take(self.length())?;
        for chunk in self.grid.overlapping(area) {
            self.load(&self.file(matrix, block, chunk), &mut chunk_bytes)?;
            for row in self.common_rows(area, chunk) {
                bytes[row.area].copy_from_slice(&chunk_bytes[row.chunk]);
            }
        }
        Ok(())
    }

    fn sync(&self) -> Result<()> {
        let written = std::mem::take(&mut *self.written.lock().unwrap_or_else(PoisonError::into_inner));
        for path in &written {
            // Windows syncs only files that are open for writing.
            let file = OpenOptions::new().write(true).open(path).map_err(io_error(path))?;
            file.sync_data().map_err(io_error(path))?;
        }
        let folders: BTreeSet<&Path> = written.iter().map(|path| paths::folder(path)).collect();
        folders.into_iter().try_for_each(paths::sync_folder)
    }
}

/// Creates a folder and its parents up to `root`, and adds them to `folders`.
fn create_folder(folder: &Path, root: &Path, folders: &mut BTreeSet<PathBuf>) -> Result<()> {
    // Another process may create it at the same time, which is not an error.
    fs::create_dir_all(folder).map_err(io_error(folder))?;
    folders.extend(folder.ancestors().take_while(|parent| parent.starts_with(root)).map(Path::to_owned));
    Ok(())
}

/// Writes the metadata of a node in place. Two processes that do so at once write the same bytes.
fn write_node(path: &Path, node: &Value) -> Result<()> {
    let text = node_text(node);
    let mut file = OpenOptions::new().write(true).create(true).truncate(false).open(path).map_err(io_error(path))?;
    let result = file.write_all(&text).and_then(|()| file.set_len(text.len() as u64)).and_then(|()| file.sync_data());
    result.map_err(io_error(path))
}

fn node_text(node: &Value) -> Vec<u8> {
    format!("{node:#}\n").into_bytes()
}

/// The folders of the matrices. The total comes first. No component has its folder.
fn arrays(root: &Path, layout: &KernelLayout) -> Vec<PathBuf> {
    let components = layout.matrices.iter().skip(1).map(|name| root.join(COMPONENTS).join(encode_name(name)));
    std::iter::once(root.join("total")).chain(components).collect()
}

/// A parameter's name as the name of a folder. Zarr reserves some file names, so they are encoded too.
fn encode_name(name: &str) -> String {
    let encoded = paths::encode_name(name);
    match encoded.as_bytes() {
        [] => "%".into(),
        [first, rest @ ..] if encoded == METADATA || encoded.starts_with("__") => {
            format!("%{first:02X}{}", String::from_utf8_lossy(rest))
        }
        _ => encoded,
    }
}

/// The metadata files and their contents, groups first.
fn nodes(root: &Path, layout: &KernelLayout, grid: &Grid) -> Vec<(PathBuf, Value)> {
    let group = json!({ "zarr_format": 3, "node_type": "group", "attributes": {} });
    let mut nodes = vec![(root.join(METADATA), group.clone())];
    if layout.matrices.len() > 1 {
        nodes.push((root.join(COMPONENTS).join(METADATA), group));
    }
    for (folder, name) in arrays(root, layout).into_iter().zip(&layout.matrices) {
        nodes.push((folder.join(METADATA), array_metadata(name, layout, grid)));
    }
    nodes
}

/// The metadata of an array.
fn array_metadata(name: &str, layout: &KernelLayout, grid: &Grid) -> Value {
    let with_blocks = |[rows, cols]: [usize; 2], blocks: usize| match layout.blocks {
        1 => vec![rows, cols],
        _ => vec![blocks, rows, cols],
    };
    json!({
        "zarr_format": 3,
        "node_type": "array",
        "shape": with_blocks([layout.rows, layout.cols], layout.blocks),
        "data_type": if layout.size == 4 { "float32" } else { "float64" },
        "chunk_grid": { "name": "regular", "configuration": { "chunk_shape": with_blocks(grid.chunk, 1) } },
        "chunk_key_encoding": { "name": "default", "configuration": { "separator": "/" } },
        "fill_value": "NaN",
        "codecs": [{ "name": "bytes", "configuration": { "endian": "little" } }, { "name": "crc32c" }],
        "attributes": { "name": name },
    })
}

#[cfg(test)]
mod tests {
    use super::encode_name;

    #[test]
    fn no_component_has_a_reserved_name() {
        let names = ["d1.weight", "a/b", "..", "", "zarr.json", "%7Aarr.json", "__x", "_x"];
        let folders = ["d1.weight", "a%2Fb", "%2E.", "%", "%7Aarr.json", "%257Aarr.json", "%5F_x", "_x"];
        assert_eq!(names.map(encode_name), folders);
    }
}
