//! The journal of a run: the fingerprint of the run and the regions on disk.
//!
//! A journal is a text file. It contains the version, the layout as JSON, the fingerprint as JSON, the shard, and then one
//! line per region with its number and the checksum of its entries. Lines are only appended, so a crash can damage the
//! last line at most. A line without a line break is ignored.

use std::fmt::Write as _;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{ErrorKind, Read, Seek, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::kernel_layout::{Header, KernelLayout};
use super::paths::{self, io_error};
use crate::error::{Error, Result};

/// The first line.
const FIRST: &str = "tangent-kernels journal, version 1";
/// The beginning of the first line in all versions.
const ANY_VERSION: &str = "tangent-kernels journal, version ";
/// The number of lines before those of the regions.
const HEADER_LINES: usize = 4;

/// The contents of a journal.
#[derive(Debug)]
pub(super) struct JournalContents {
    /// `None` if its writer stopped before the header was complete. Then no regions are on disk.
    pub header: Option<Header>,
    /// The regions on disk and their checksums.
    pub regions: Vec<(usize, u64)>,
    /// The number of bytes of its complete lines.
    length: u64,
}

impl JournalContents {
    /// Reads the journal at `path`.
    pub fn read(path: &Path) -> Result<Self> {
        let bytes = std::fs::read(path).map_err(io_error(path))?;
        Self::parse(&bytes).map_err(|error| error.context(path.display()))
    }

    fn parse(bytes: &[u8]) -> Result<Self> {
        let mut lines = Vec::new();
        let mut length = 0;
        for line in bytes.split_inclusive(|&byte| byte == b'\n') {
            let Some(line) = line.strip_suffix(b"\n") else { break };
            lines.push(line);
            length += line.len() as u64 + 1;
        }
        match lines.first() {
            Some(first) if *first == FIRST.as_bytes() => {}
            Some(first) if first.starts_with(ANY_VERSION.as_bytes()) => {
                return Err(Error::unsupported("another version of this crate wrote this journal: use that version"));
            }
            None if FIRST.as_bytes().starts_with(bytes) => {}
            _ => return Err(Error::format("this file is not a journal of this crate")),
        }
        if lines.len() < HEADER_LINES {
            return Ok(JournalContents { header: None, regions: Vec::new(), length: 0 });
        }
        let layout = KernelLayout::from_json(&parse_json(&lines, 1)?).ok_or_else(|| invalid_line(1, "layout"))?;
        let layout = layout.map_err(|error| error.context("line 2 of this journal"))?;
        let fingerprint = parse_json(&lines, 2)?;
        if !lines[3].starts_with(b"shard ") {
            return Err(invalid_line(3, "shard"));
        }
        let mut regions = Vec::new();
        for (number, line) in lines.iter().enumerate().skip(HEADER_LINES) {
            let (index, sum) = parse_region(line).ok_or_else(|| invalid_line(number, "region with a checksum"))?;
            if index >= layout.regions.len() {
                let (line, count) = (number + 1, layout.regions.len());
                return Err(Error::format(format!(
                    "line {line} of this journal lists region {index}, but the kernel has {count} regions"
                )));
            }
            regions.push((index, sum));
        }
        Ok(JournalContents { header: Some(Header { layout, fingerprint }), regions, length })
    }
}

fn parse_json(lines: &[&[u8]], line: usize) -> Result<Value> {
    serde_json::from_slice(lines[line]).map_err(|_| invalid_line(line, "JSON value"))
}

fn invalid_line(line: usize, expected: &str) -> Error {
    Error::format(format!("line {} of this journal is not a valid {expected}", line + 1))
}

/// Parses the number and the checksum in `region 17 0123456789abcdef`.
fn parse_region(line: &[u8]) -> Option<(usize, u64)> {
    let (index, sum) = std::str::from_utf8(line).ok()?.strip_prefix("region ")?.split_once(' ')?;
    // `from_str_radix` would also accept a sign.
    let is_sum = sum.len() == 16 && sum.bytes().all(|byte| byte.is_ascii_hexdigit());
    Some((index.parse().ok()?, is_sum.then(|| u64::from_str_radix(sum, 16).ok())??))
}

/// A journal that this process writes. It is locked against other processes.
#[derive(Debug)]
pub(super) struct Journal {
    path: PathBuf,
    file: File,
    /// True after a failure. Then it is unknown which data are on disk, and nothing more is recorded.
    broken: bool,
    _lock: Lock,
}

impl Journal {
    /// Opens the journal at `path`. Creates it if it does not exist, and removes an incomplete last line.
    ///
    /// # Errors
    /// Another process has the journal open, or it belongs to another run.
    pub fn open(path: PathBuf, header: &Header, shard: (usize, usize)) -> Result<Self> {
        let mut options = OpenOptions::new();
        let mut file =
            options.read(true).write(true).create(true).truncate(false).open(&path).map_err(io_error(&path))?;
        let lock = Lock::take(&path, &file)?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).map_err(io_error(&path))?;
        let contents = JournalContents::parse(&bytes).map_err(|error| error.context(path.display()))?;
        if let Some(difference) = contents.header.as_ref().and_then(|stored| stored.difference(header)) {
            return Err(Error::unsupported(format!("{} belongs to another run: {difference}", path.display())));
        }
        let has_header = contents.header.is_some();
        file.set_len(contents.length).and_then(|()| file.seek(SeekFrom::End(0))).map_err(io_error(&path))?;
        let mut journal = Journal { path, file, broken: false, _lock: lock };
        if !has_header {
            let Header { layout, fingerprint } = header;
            let (i, n) = shard;
            journal.append(&format!("{FIRST}\n{}\n{fingerprint}\nshard {i} of {n}\n", layout.to_json()))?;
            paths::sync_folder(paths::folder(&journal.path))?;
        }
        Ok(journal)
    }

    /// Records regions after `sync` has brought their data to disk.
    ///
    /// After a failure nothing more is recorded, because later results of the system are not reliable.
    pub fn record(&mut self, regions: &[(usize, u64)], sync: impl FnOnce() -> Result<()>) -> Result<()> {
        if self.broken {
            let error = Error::io("an earlier write to the disk failed, so no more regions are recorded: start again");
            return Err(error.context(self.path.display()));
        }
        let mut lines = String::new();
        for (index, sum) in regions {
            // Writing to a string cannot fail.
            let _ = writeln!(lines, "region {index} {sum:016x}");
        }
        let result = sync().and_then(|()| if lines.is_empty() { Ok(()) } else { self.append(&lines) });
        self.broken = result.is_err();
        result
    }

    fn append(&mut self, text: &str) -> Result<()> {
        self.file.write_all(text.as_bytes()).and_then(|()| self.file.sync_data()).map_err(io_error(&self.path))
    }
}

/// A lock on a journal. It is released on drop.
#[derive(Debug)]
pub(super) struct Lock {
    file: File,
}

impl Lock {
    /// Locks the journal at `path`, opened as `file`.
    ///
    /// # Errors
    /// Another process, or another run in this process, holds the lock.
    pub fn take(path: &Path, file: &File) -> Result<Self> {
        // On Windows a locked file cannot be read, so another file is locked instead.
        let file = if cfg!(windows) { File::create(paths::with_suffix(path, ".lock")) } else { file.try_clone() };
        let file = file.map_err(io_error(path))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let path = path.display();
                return Err(Error::io(format!(
                    "the journal {path} is locked: another process computes this shard now, wait for it to finish"
                )));
            }
            // Some network file systems have no locks. Computing a shard twice costs time but does no harm.
            Err(TryLockError::Error(error)) if error.kind() == ErrorKind::Unsupported => {}
            Err(TryLockError::Error(error)) => return Err(io_error(path)(error)),
        }
        Ok(Lock { file })
    }
}

/// Closing the file is not enough: a process that is being started at this moment also has it open.
impl Drop for Lock {
    fn drop(&mut self) {
        // An error means that the file system has no locks.
        let _ = self.file.unlock();
    }
}
