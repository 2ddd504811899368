//! The journal of a run: whose kernel it is and which units are on the disk.
//!
//! A text file: the version, the layout as JSON, the identity as JSON, the share, then a line for each unit: its number
//! and the checksum of its entries. Lines are added at the end only, so a crash can spoil the last one at most; a line
//! without an end is no line.

use std::fmt::Write as _;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{ErrorKind, Read, Seek, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::layout::{Header, Layout};
use super::paths::{self, at};
use crate::error::{Error, Result};

/// The first line, and its beginning whatever the version.
const FIRST: &str = "tangent-kernels journal, version 1";
const ANY_VERSION: &str = "tangent-kernels journal, version ";
/// Lines before those of the units.
const HEAD: usize = 4;

/// What a journal says.
#[derive(Debug)]
pub(super) struct Record {
    /// `None` if its writer did not come so far: then there is nothing on the disk that it would tell of.
    pub header: Option<Header>,
    /// The units on the disk and their checksums.
    pub regions: Vec<(usize, u64)>,
    /// The bytes of its whole lines.
    length: u64,
}

impl Record {
    /// Reads the journal at `path`.
    pub fn read(path: &Path) -> Result<Self> {
        let bytes = std::fs::read(path).map_err(at(path))?;
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
                return Err(Error::unsupported("this journal is of another version of this crate"));
            }
            None if FIRST.as_bytes().starts_with(bytes) => {}
            _ => return Err(Error::format("this is no journal of this crate")),
        }
        if lines.len() < HEAD {
            return Ok(Record { header: None, regions: Vec::new(), length: 0 });
        }
        let faulty = |line: usize, what: &str| Error::format(format!("line {} of this journal is no {what}", line + 1));
        let json = |line: usize| serde_json::from_slice::<Value>(lines[line]).map_err(|_| faulty(line, "JSON"));
        let layout = Layout::from_json(&json(1)?).ok_or_else(|| faulty(1, "layout"))?;
        let layout = layout.map_err(|error| error.context("line 2 of this journal"))?;
        let fingerprint = json(2)?;
        if !lines[3].starts_with(b"shard ") {
            return Err(faulty(3, "shard"));
        }
        let mut regions = Vec::new();
        for (number, line) in lines.iter().enumerate().skip(HEAD) {
            let (index, sum) = region(line).ok_or_else(|| faulty(number, "region with a checksum"))?;
            if index >= layout.regions.len() {
                let (line, count) = (number + 1, layout.regions.len());
                return Err(Error::format(format!("line {line} of this journal: there is no unit {index} of {count}")));
            }
            regions.push((index, sum));
        }
        Ok(Record { header: Some(Header { layout, fingerprint }), regions, length })
    }
}

/// The number and the checksum in `region 17 0123456789abcdef`.
fn region(line: &[u8]) -> Option<(usize, u64)> {
    let (index, sum) = std::str::from_utf8(line).ok()?.strip_prefix("region ")?.split_once(' ')?;
    // `from_str_radix` would also take a sign.
    let whole = sum.len() == 16 && sum.bytes().all(|byte| byte.is_ascii_hexdigit());
    Some((index.parse().ok()?, whole.then(|| u64::from_str_radix(sum, 16).ok())??))
}

/// A journal that this process writes, and no other.
#[derive(Debug)]
pub(super) struct Journal {
    path: PathBuf,
    file: File,
    /// Something failed, so nobody knows what is on the disk: nothing more is told.
    broken: bool,
    _lock: Lock,
}

impl Journal {
    /// Opens the journal at `path`, begins it if there is none, and cuts off what a crash left half written.
    ///
    /// # Errors
    /// Another process writes it; it is of another run.
    pub fn open(path: PathBuf, header: &Header, part: (usize, usize)) -> Result<Self> {
        let mut options = OpenOptions::new();
        let mut file = options.read(true).write(true).create(true).truncate(false).open(&path).map_err(at(&path))?;
        let lock = Lock::take(&path, &file)?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).map_err(at(&path))?;
        let record = Record::parse(&bytes).map_err(|error| error.context(path.display()))?;
        if let Some(difference) = record.header.as_ref().and_then(|there| there.difference(header)) {
            return Err(Error::unsupported(format!("{} is of another run: {difference}", path.display())));
        }
        let begun = record.header.is_some();
        file.set_len(record.length).and_then(|()| file.seek(SeekFrom::End(0))).map_err(at(&path))?;
        let mut journal = Journal { path, file, broken: false, _lock: lock };
        if !begun {
            let Header { layout, fingerprint } = header;
            let (i, n) = part;
            journal.append(&format!("{FIRST}\n{}\n{fingerprint}\nshard {i} of {n}\n", layout.to_json()))?;
            paths::sync_folder(paths::folder(&journal.path))?;
        }
        Ok(journal)
    }

    /// Tells of units, after `sync` has brought their data to the disk. After a failure it tells of nothing any more:
    /// what a system that failed to sync says later cannot be relied on.
    pub fn tell(&mut self, regions: &[(usize, u64)], sync: impl FnOnce() -> Result<()>) -> Result<()> {
        if self.broken {
            return Err(Error::io("an earlier failure to bring data to the disk").context(self.path.display()));
        }
        let mut lines = String::new();
        for (index, sum) in regions {
            // Into a string it cannot fail.
            let _ = writeln!(lines, "region {index} {sum:016x}");
        }
        let told = sync().and_then(|()| if lines.is_empty() { Ok(()) } else { self.append(&lines) });
        self.broken = told.is_err();
        told
    }

    fn append(&mut self, text: &str) -> Result<()> {
        self.file.write_all(text.as_bytes()).and_then(|()| self.file.sync_data()).map_err(at(&self.path))
    }
}

/// A lock on a journal, as long as this lives.
#[derive(Debug)]
pub(super) struct Lock {
    file: File,
}

impl Lock {
    /// Locks the journal at `path`, opened as `file`.
    ///
    /// # Errors
    /// Another process, or another run in this one, has it.
    pub fn take(path: &Path, file: &File) -> Result<Self> {
        // On Windows nobody could read a locked journal, so another file is locked instead.
        let file = match cfg!(windows) {
            true => File::create(paths::with(path, ".lock")),
            false => file.try_clone(),
        };
        let file = file.map_err(at(path))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let path = path.display();
                return Err(Error::io(format!("{path} is locked: another process is computing this share now")));
            }
            // Some network file systems have no locks. To compute a share twice costs time and does no harm.
            Err(TryLockError::Error(error)) if error.kind() == ErrorKind::Unsupported => {}
            Err(TryLockError::Error(error)) => return Err(at(path)(error)),
        }
        Ok(Lock { file })
    }
}

/// To close the file is not enough: a process that is being started at this moment has it open too.
impl Drop for Lock {
    fn drop(&mut self) {
        // Where there are no locks there is nothing to give back.
        let _ = self.file.unlock();
    }
}
