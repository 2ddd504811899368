//! A run that writes a kernel, unit by unit.

use std::borrow::Cow;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use xxhash_rust::xxh3::xxh3_64;

use super::books::Books;
use super::files::{Buffers, Files, Pair};
use super::journal::Journal;
use super::layout::Header;
use super::{paths, report};
use crate::error::{Error, Result};
use crate::kernel::sink::{Frame, RegionData};
use crate::real::Real;

/// After so many bytes or so long, what was written is brought to the disk and the journal tells of it: what a crash can
/// cost.
const BATCH: u64 = 256 << 20;
const WAIT: Duration = Duration::from_secs(10);

/// A kernel at a path.
#[derive(Debug)]
pub(super) struct Store<F: Files> {
    path: PathBuf,
    /// Which units are on the disk since before this run.
    done: Vec<bool>,
    /// The kernel was whole before this run.
    finished: bool,
    run: Option<Run<F>>,
}

impl<F: Files> Store<F> {
    pub fn new(path: &Path) -> Self {
        Store { path: path.to_owned(), done: Vec::new(), finished: false, run: None }
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    pub fn begin<R: Real>(&mut self, frame: &Frame) -> Result<()> {
        let path = &self.path;
        // An earlier run of the same sink gives its lock back.
        self.run = None;
        let header = Header::new::<R>(F::FORMAT, frame).map_err(|error| error.context(path.display()))?;
        F::fits(&header.layout).map_err(|error| error.context(path.display()))?;
        let (i, n) = frame.part;
        if i >= n {
            return Err(Error::value(format!("{}: there is no share {i} of {n}", path.display())));
        }
        let pairs = F::pairs(path, &header.layout);
        let books = Books::open(path)?;
        books.allow(&header, &pairs)?;
        self.finished = books.complete() && pairs.iter().all(|pair| pair.whole.exists());
        if self.finished {
            F::open(&pairs, &header, false)?;
            self.done = vec![true; frame.regions.len()];
            return Ok(());
        }
        // The journal first: where there are data there is a journal.
        let journal = Journal::open(paths::journal(path, frame.part), &header, frame.part)?;
        let books = Books::open(path)?;
        books.allow(&header, &pairs)?;
        let files = if books.done() == 0 { F::create(&pairs, &header)? } else { F::open(&pairs, &header, true)? };
        self.done = books.sums.iter().map(Option::is_some).collect();
        self.run = Some(Run {
            files,
            header,
            pairs,
            part: frame.part,
            journal: Mutex::new(journal),
            pending: Mutex::new(Pending::new()),
            buffers: Buffers::default(),
        });
        Ok(())
    }

    pub fn has(&self, index: usize) -> bool {
        self.done.get(index).copied().unwrap_or(false)
    }

    pub fn put<R: Real>(&self, part: &RegionData<'_, R>) -> Result<()> {
        let run = self.run.as_ref().ok_or_else(|| self.idle())?;
        run.put(part).map_err(|error| {
            let path = self.path.display();
            error.context(format_args!("cannot write {path} (what is written is kept, and the same run goes on there)"))
        })
    }

    pub fn end(&mut self, _: &Frame) -> Result<()> {
        let Some(run) = self.run.take() else {
            return if self.finished { Ok(()) } else { Err(self.idle()) };
        };
        run.flush()?;
        match run.part {
            (0, 1) => finish(&self.path, &run.pairs, &mut run.journal()),
            _ => Ok(()),
        }
    }

    fn idle(&self) -> Error {
        let why = if self.finished { "is whole already" } else { "was not begun" };
        Error::unsupported(format!("{} {why}", self.path.display()))
    }
}

/// Gives a kernel its name, if all its units are on the disk: `journal`, the one for all units, tells of each then, and
/// the journals of shares go.
pub(super) fn finish(path: &Path, pairs: &[Pair], journal: &mut Journal) -> Result<()> {
    let books = Books::open(path)?;
    let missing = books.missing();
    if let (Some(header), false) = (&books.header, missing.is_empty()) {
        return Err(Error::format(format!(
            "{} is not whole{}",
            path.display(),
            report::list(&header.layout, &missing)
        )));
    }
    let own = paths::journal(path, (0, 1));
    let others = || books.records.iter().filter(|(path, _)| *path != own);
    let locks = others().map(|(path, _)| report::lock(path)).collect::<Result<Vec<_>>>()?;
    let mut untold = books.sums.clone();
    for (_, record) in books.records.iter().filter(|(path, _)| *path == own) {
        record.regions.iter().for_each(|&(index, _)| untold[index] = None);
    }
    let untold: Vec<_> = untold.into_iter().enumerate().filter_map(|(index, sum)| Some((index, sum?))).collect();
    journal.tell(&untold, || Ok(()))?;
    // The total last: where it is, all is.
    for Pair { partial, whole } in pairs.iter().rev() {
        // After a crash among these lines some have their names already.
        match (partial.exists(), whole.exists()) {
            (true, false) => std::fs::rename(partial, whole).map_err(paths::at(partial))?,
            (false, true) => {}
            (true, true) => {
                return Err(Error::unsupported(format!("{} is there already, and not written over", whole.display())));
            }
            (false, false) => return Err(Error::io(format!("{} is gone", partial.display()))),
        }
    }
    paths::sync_folder(paths::folder(path))?;
    drop(locks);
    others().try_for_each(|(path, _)| std::fs::remove_file(path).map_err(paths::at(path)))
}

/// A run that has begun.
#[derive(Debug)]
struct Run<F: Files> {
    files: F,
    header: Header,
    pairs: Vec<Pair>,
    part: (usize, usize),
    journal: Mutex<Journal>,
    pending: Mutex<Pending>,
    buffers: Buffers,
}

/// Units that are written, but perhaps not on the disk yet.
#[derive(Debug)]
struct Pending {
    regions: Vec<(usize, u64)>,
    bytes: u64,
    since: Instant,
}

impl Pending {
    fn new() -> Self {
        Pending { regions: Vec::new(), bytes: 0, since: Instant::now() }
    }
}

impl<F: Files> Run<F> {
    fn put<R: Real>(&self, part: &RegionData<'_, R>) -> Result<()> {
        let layout = &self.header.layout;
        let region = layout.regions.get(part.index).filter(|region| part.frame.regions.get(part.index) == Some(region));
        let region = region.ok_or_else(|| Error::value(format!("unit {} is not of this run", part.index)))?;
        let bytes = little_endian(part.entries);
        let expected = layout.matrices.len() * layout.blocks * region.entries() * layout.size;
        if bytes.len() != expected {
            let (index, bytes) = (part.index, bytes.len());
            return Err(Error::shape(format!("unit {index} has {expected} bytes, and {bytes} came")));
        }
        let sum = xxh3_64(&bytes);
        self.files.put(layout, region, &bytes, &self.buffers)?;
        let full = {
            let mut pending = self.pending();
            pending.regions.push((part.index, sum));
            pending.bytes += bytes.len() as u64;
            let full = pending.bytes >= BATCH || pending.since.elapsed() >= WAIT;
            if full {
                // So that one thread brings them to the disk while the others go on.
                (pending.bytes, pending.since) = (0, Instant::now());
            }
            full
        };
        if full { self.flush() } else { Ok(()) }
    }

    /// Brings all that was written to the disk, and tells of it.
    fn flush(&self) -> Result<()> {
        // Taken before, not while, units are taken out: who comes second must not tell of units before the first synced.
        let mut journal = self.journal();
        let regions = std::mem::take(&mut self.pending().regions);
        journal.tell(&regions, || self.files.sync())
    }

    fn pending(&self) -> MutexGuard<'_, Pending> {
        self.pending.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn journal(&self) -> MutexGuard<'_, Journal> {
        self.journal.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A run that ends early, by an error or because it was cancelled, keeps what it has.
impl<F: Files> Drop for Run<F> {
    fn drop(&mut self) {
        if !self.pending().regions.is_empty() {
            // Whom should it tell of a failure? The units are computed again then.
            let _ = self.flush();
        }
    }
}

fn little_endian<R: Real>(entries: &[R]) -> Cow<'_, [u8]> {
    let bytes: &[u8] = bytemuck::cast_slice(entries);
    match cfg!(target_endian = "little") {
        true => Cow::Borrowed(bytes),
        false => bytes.chunks_exact(size_of::<R>()).flat_map(|number| number.iter().rev().copied()).collect(),
    }
}
