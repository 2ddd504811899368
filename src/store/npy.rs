//! A kernel in `.npy` files, one for each matrix.

use std::fs::OpenOptions;
use std::path::Path;

use super::files::{Files, Pair};
use super::layout::{Header, Layout};
use super::paths::{self, at};
use super::positioned::Positioned;
use crate::error::{Error, Result};
use crate::kernel::sink::Region;

/// Where the numbers begin: at a page, after a header that is filled up with spaces, as numpy fills it.
const START: usize = 4096;

/// The files of a kernel.
#[derive(Debug)]
pub(super) struct Npy {
    files: Vec<(Positioned, std::path::PathBuf)>,
    size: usize,
    rows: usize,
    cols: usize,
}

impl Npy {
    fn of(files: Vec<(Positioned, std::path::PathBuf)>, layout: &Layout) -> Self {
        Npy { files, size: layout.size, rows: layout.rows, cols: layout.cols }
    }

    /// Calls `work` for every row of `area`, or once for all if they lie one after the other: with the part of the
    /// area's bytes and their position in the file.
    fn rows(
        &self,
        block: usize,
        area: &Region,
        mut work: impl FnMut(std::ops::Range<usize>, u64) -> std::io::Result<()>,
    ) -> std::io::Result<()> {
        let position = |row: usize| {
            let entry = (block * self.rows + row) * self.cols + area.cols.start;
            (START + entry * self.size) as u64
        };
        let bytes = area.cols.len() * self.size;
        if area.cols.len() == self.cols {
            return work(0..area.rows.len() * bytes, position(area.rows.start));
        }
        area.rows.clone().enumerate().try_for_each(|(i, row)| work(i * bytes..(i + 1) * bytes, position(row)))
    }
}

impl Files for Npy {
    const FORMAT: &'static str = "npy";

    fn pairs(path: &Path, layout: &Layout) -> Vec<Pair> {
        let pair = |(k, name): (usize, &String)| {
            let whole = if k == 0 { path.to_owned() } else { beside(path, &paths::component(name)) };
            Pair { partial: paths::with(&whole, ".partial"), whole }
        };
        layout.matrices.iter().enumerate().map(pair).collect()
    }

    fn create(pairs: &[Pair], header: &Header) -> Result<Self> {
        let layout = &header.layout;
        let files = pairs.iter().map(|Pair { partial, .. }| {
            let mut options = OpenOptions::new();
            let file =
                options.read(true).write(true).create(true).truncate(false).open(partial).map_err(at(partial))?;
            let length = START as u64 + layout.bytes();
            if file.metadata().map_err(at(partial))?.len() != length {
                reserve(&file, length)
                    .map_err(|error| at(partial)(error).context(format_args!("there is no room for {length} bytes")))?;
                file.set_len(length).map_err(at(partial))?;
            }
            let file = Positioned::new(file);
            file.write(&head(layout), 0).and_then(|()| file.sync()).map_err(at(partial))?;
            paths::sync_folder(paths::folder(partial))?;
            Ok((file, partial.clone()))
        });
        Ok(Npy::of(files.collect::<Result<_>>()?, layout))
    }

    fn open(pairs: &[Pair], header: &Header, write: bool) -> Result<Self> {
        let layout = &header.layout;
        let files = pairs.iter().map(|pair| {
            let path = pair.there();
            let file = OpenOptions::new().read(true).write(write).open(path).map_err(|error| {
                at(path)(error).context("the journal tells of units, but their file cannot be opened")
            })?;
            let (length, expected) = (file.metadata().map_err(at(path))?.len(), START as u64 + layout.bytes());
            if length != expected {
                let path = path.display();
                return Err(Error::format(format!("{path} has {length} bytes where its journal needs {expected}")));
            }
            let file = Positioned::new(file);
            let mut there = vec![0; START];
            file.read(&mut there, 0).map_err(at(path))?;
            if there != head(layout) {
                return Err(Error::format(format!("{} does not begin as its journal says", path.display())));
            }
            Ok((file, path.clone()))
        });
        Ok(Npy::of(files.collect::<Result<_>>()?, layout))
    }

    fn strip(&self) -> usize {
        64
    }

    fn write(&self, matrix: usize, block: usize, area: &Region, bytes: &[u8]) -> Result<()> {
        let (file, path) = &self.files[matrix];
        self.rows(block, area, |part, position| file.write(&bytes[part], position)).map_err(at(path))
    }

    fn read(&self, matrix: usize, block: usize, area: &Region, bytes: &mut [u8]) -> Result<()> {
        let (file, path) = &self.files[matrix];
        self.rows(block, area, |part, position| file.read(&mut bytes[part], position)).map_err(at(path))
    }

    fn sync(&self) -> Result<()> {
        self.files.iter().try_for_each(|(file, path)| file.sync().map_err(at(path)))
    }
}

/// `K.npy` and a component to `K.COMPONENT.npy`.
fn beside(path: &Path, component: &str) -> std::path::PathBuf {
    let mut name = path.file_stem().map(std::ffi::OsString::from).unwrap_or_default();
    name.push(".");
    name.push(component);
    if let Some(extension) = path.extension() {
        name.push(".");
        name.push(extension);
    }
    path.with_file_name(name)
}

/// The header of version 1.0, as long as [`START`].
fn head(layout: &Layout) -> Vec<u8> {
    let Layout { size, blocks, rows, cols, .. } = *layout;
    let shape = if blocks == 1 { format!("({rows}, {cols})") } else { format!("({blocks}, {rows}, {cols})") };
    let text = format!("{{'descr': '<f{size}', 'fortran_order': False, 'shape': {shape}, }}");
    let mut head = b"\x93NUMPY\x01\x00".to_vec();
    head.extend(((START - 10) as u16).to_le_bytes());
    head.extend(text.bytes());
    head.resize(START - 1, b' ');
    head.push(b'\n');
    head
}

/// Asks for the room that the file needs, so that a disk that is too small says so now.
#[cfg(target_os = "linux")]
fn reserve(file: &std::fs::File, length: u64) -> std::io::Result<()> {
    use rustix::fs::{FallocateFlags, fallocate};
    use rustix::io::Errno;
    match fallocate(file, FallocateFlags::empty(), 0, length) {
        // Not every file system can; then the disk says so when it is full.
        Err(Errno::OPNOTSUPP | Errno::NOSYS | Errno::INVAL) => Ok(()),
        other => Ok(other?),
    }
}

#[cfg(not(target_os = "linux"))]
fn reserve(_: &std::fs::File, _: u64) -> std::io::Result<()> {
    Ok(())
}
