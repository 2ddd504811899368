//! A kernel in `.npy` files, one per matrix.

use std::ffi::OsString;
use std::fs::{File, OpenOptions};
use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};

use super::kernel_layout::{Header, KernelLayout};
use super::paths::{self, io_error};
use super::positioned::Positioned;
use super::storage::{Storage, TargetPaths};
use crate::error::{Error, Result};
use crate::kernel::sink::Region;

/// The position of the first entry: one page, after a header that is padded with spaces as numpy pads it.
const START: usize = 4096;

/// The files of a kernel.
#[derive(Debug)]
pub(super) struct NpyStorage {
    files: Vec<(Positioned, PathBuf)>,
    size: usize,
    rows: usize,
    cols: usize,
}

impl NpyStorage {
    fn new(files: Vec<(Positioned, PathBuf)>, layout: &KernelLayout) -> Self {
        NpyStorage { files, size: layout.size, rows: layout.rows, cols: layout.cols }
    }

    /// Calls `work` with a range of the area's bytes and its position in the file: once per row of `area`, or once for
    /// all rows if they are contiguous in the file.
    fn for_each_range(
        &self,
        block: usize,
        area: &Region,
        mut work: impl FnMut(Range<usize>, u64) -> io::Result<()>,
    ) -> io::Result<()> {
        let bytes = area.cols.len() * self.size;
        if area.cols.len() == self.cols {
            return work(0..area.rows.len() * bytes, self.position(block, area.rows.start, 0));
        }
        for (i, row) in area.rows.clone().enumerate() {
            work(i * bytes..(i + 1) * bytes, self.position(block, row, area.cols.start))?;
        }
        Ok(())
    }

    /// The position of an entry in the file.
    fn position(&self, block: usize, row: usize, col: usize) -> u64 {
        let entry = (block * self.rows + row) * self.cols + col;
        (START + entry * self.size) as u64
    }
}

impl Storage for NpyStorage {
    const FORMAT: &'static str = "npy";

    fn targets(path: &Path, layout: &KernelLayout) -> Vec<TargetPaths> {
        let mut targets = Vec::with_capacity(layout.matrices.len());
        for (k, name) in layout.matrices.iter().enumerate() {
            let complete = if k == 0 { path.to_owned() } else { component_path(path, &paths::encode_name(name)) };
            targets.push(TargetPaths { partial: paths::with_suffix(&complete, ".partial"), complete });
        }
        targets
    }

    fn create(targets: &[TargetPaths], header: &Header) -> Result<Self> {
        let layout = &header.layout;
        let mut files = Vec::with_capacity(targets.len());
        for TargetPaths { partial, .. } in targets {
            files.push((create_file(partial, layout)?, partial.clone()));
        }
        Ok(NpyStorage::new(files, layout))
    }

    fn open(targets: &[TargetPaths], header: &Header, write: bool) -> Result<Self> {
        let layout = &header.layout;
        let mut files = Vec::with_capacity(targets.len());
        for target in targets {
            let path = target.existing();
            files.push((open_file(path, layout, write)?, path.clone()));
        }
        Ok(NpyStorage::new(files, layout))
    }

    fn mirror_rows(&self) -> usize {
        64
    }

    fn write(&self, matrix: usize, block: usize, area: &Region, bytes: &[u8]) -> Result<()> {
        let (file, path) = &self.files[matrix];
        self.for_each_range(block, area, |range, position| file.write(&bytes[range], position)).map_err(io_error(path))
    }

    fn read(&self, matrix: usize, block: usize, area: &Region, bytes: &mut [u8]) -> Result<()> {
        let (file, path) = &self.files[matrix];
        self.for_each_range(block, area, |range, position| file.read(&mut bytes[range], position))
            .map_err(io_error(path))
    }

    fn sync(&self) -> Result<()> {
        self.files.iter().try_for_each(|(file, path)| file.sync().map_err(io_error(path)))
    }
}

/// Creates the file of a matrix, with its header and its final length.
fn create_file(path: &Path, layout: &KernelLayout) -> Result<Positioned> {
    let mut options = OpenOptions::new();
    let file = options.read(true).write(true).create(true).truncate(false).open(path).map_err(io_error(path))?;
    let length = START as u64 + layout.bytes();
    if file.metadata().map_err(io_error(path))?.len() != length {
        reserve(&file, length).map_err(|error| {
            io_error(path)(error).context(format_args!("there is no room for {length} bytes on the disk"))
        })?;
        file.set_len(length).map_err(io_error(path))?;
    }
    let file = Positioned::new(file);
    file.write(&numpy_header(layout), 0).and_then(|()| file.sync()).map_err(io_error(path))?;
    paths::sync_folder(paths::folder(path))?;
    Ok(file)
}

/// Opens the file of a matrix. Its length and header must match the journal.
fn open_file(path: &Path, layout: &KernelLayout, write: bool) -> Result<Positioned> {
    let file =
        OpenOptions::new().read(true).write(write).open(path).map_err(|error| {
            io_error(path)(error).context("the journal lists regions, but their file cannot be opened")
        })?;
    let length = file.metadata().map_err(io_error(path))?.len();
    let expected = START as u64 + layout.bytes();
    if length != expected {
        let path = path.display();
        return Err(Error::format(format!("{path} has {length} bytes, but its journal needs {expected}")));
    }
    let file = Positioned::new(file);
    let mut header = vec![0; START];
    file.read(&mut header, 0).map_err(io_error(path))?;
    if header != numpy_header(layout) {
        return Err(Error::format(format!("the header of {} does not match its journal", path.display())));
    }
    Ok(file)
}

/// The path of a component's file: `K.COMPONENT.npy` next to `K.npy`.
fn component_path(path: &Path, component: &str) -> PathBuf {
    let mut name = path.file_stem().map(OsString::from).unwrap_or_default();
    name.push(".");
    name.push(component);
    if let Some(extension) = path.extension() {
        name.push(".");
        name.push(extension);
    }
    path.with_file_name(name)
}

/// A numpy header of version 1.0, padded to [`START`] bytes.
fn numpy_header(layout: &KernelLayout) -> Vec<u8> {
    let KernelLayout { size, blocks, rows, cols, .. } = *layout;
    let shape = if blocks == 1 { format!("({rows}, {cols})") } else { format!("({blocks}, {rows}, {cols})") };
    let text = format!("{{'descr': '<f{size}', 'fortran_order': False, 'shape': {shape}, }}");
    let mut header = b"\x93NUMPY\x01\x00".to_vec();
    header.extend(((START - 10) as u16).to_le_bytes());
    header.extend(text.bytes());
    header.resize(START - 1, b' ');
    header.push(b'\n');
    header
}

/// Reserves disk space for the file, so a disk that is too small gives an error now.
#[cfg(target_os = "linux")]
fn reserve(file: &File, length: u64) -> io::Result<()> {
    use rustix::fs::{FallocateFlags, fallocate};
    use rustix::io::Errno;
    match fallocate(file, FallocateFlags::empty(), 0, length) {
        // Not every file system supports this. The error then comes when the disk is full.
        Err(Errno::OPNOTSUPP | Errno::NOSYS | Errno::INVAL) => Ok(()),
        other => Ok(other?),
    }
}

#[cfg(not(target_os = "linux"))]
fn reserve(_: &File, _: u64) -> io::Result<()> {
    Ok(())
}
