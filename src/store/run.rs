//! A run that writes a kernel region by region.

use std::borrow::Cow;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use xxhash_rust::xxh3::xxh3_64;

use super::journal::Journal;
use super::journals::Journals;
use super::kernel_layout::Header;
use super::storage::{Buffers, Storage, TargetPaths};
use super::{paths, report};
use crate::error::{Error, Result};
use crate::kernel::sink::{Frame, RegionData};
use crate::real::Real;

/// After this number of bytes, written regions are synced and recorded. A crash can lose about as much.
const BATCH: u64 = 256 << 20;
/// Written regions are also synced and recorded after this time.
const WAIT: Duration = Duration::from_secs(10);

/// A kernel at a path.
#[derive(Debug)]
pub(super) struct Store<S: Storage> {
    path: PathBuf,
    /// For each region, whether it was on disk before this run.
    done: Vec<bool>,
    /// True if the kernel was complete before this run.
    finished: bool,
    run: Option<ActiveRun<S>>,
}

impl<S: Storage> Store<S> {
    pub fn new(path: &Path) -> Self {
        Store { path: path.to_owned(), done: Vec::new(), finished: false, run: None }
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    pub fn begin<R: Real>(&mut self, frame: &Frame) -> Result<()> {
        let path = &self.path;
        // Releases the lock of an earlier run of the same sink.
        self.run = None;
        let header = Header::new::<R>(S::FORMAT, frame).map_err(|error| error.context(path.display()))?;
        S::check_layout(&header.layout).map_err(|error| error.context(path.display()))?;
        let (i, n) = frame.part;
        if i >= n {
            return Err(Error::value(format!("{}: shard {i} is out of range, there are {n} shards", path.display())));
        }
        let targets = S::targets(path, &header.layout);
        let journals = Journals::open(path)?;
        journals.check_owner(&header, &targets)?;
        self.finished = journals.complete() && targets.iter().all(|target| target.complete.exists());
        if self.finished {
            S::open(&targets, &header, false)?;
            self.done = vec![true; frame.regions.len()];
            return Ok(());
        }
        // The journal comes first, so data never exist without a journal.
        let journal = Journal::open(paths::journal(path, frame.part), &header, frame.part)?;
        let journals = Journals::open(path)?;
        journals.check_owner(&header, &targets)?;
        let storage =
            if journals.done() == 0 { S::create(&targets, &header)? } else { S::open(&targets, &header, true)? };
        self.done = journals.sums.iter().map(Option::is_some).collect();
        self.run = Some(ActiveRun {
            storage,
            header,
            targets,
            shard: frame.part,
            journal: Mutex::new(journal),
            pending: Mutex::new(Pending::new()),
            buffers: Buffers::default(),
        });
        Ok(())
    }

    pub fn has(&self, index: usize) -> bool {
        self.done.get(index).copied().unwrap_or(false)
    }

    pub fn put<R: Real>(&self, data: &RegionData<'_, R>) -> Result<()> {
        let run = self.run.as_ref().ok_or_else(|| self.not_active())?;
        let advice = "its regions on disk are kept: start the same run again";
        let path = self.path.display();
        run.put(data).map_err(|error| error.context(format_args!("{path} cannot be written ({advice})")))
    }

    pub fn end(&mut self, _: &Frame) -> Result<()> {
        let Some(run) = self.run.take() else {
            return if self.finished { Ok(()) } else { Err(self.not_active()) };
        };
        run.flush()?;
        match run.shard {
            (0, 1) => finish(&self.path, &run.targets, &mut run.journal()),
            _ => Ok(()),
        }
    }

    fn not_active(&self) -> Error {
        let state = if self.finished { "is complete already" } else { "has no active run: call `begin` first" };
        Error::unsupported(format!("{} {state}", self.path.display()))
    }
}

/// Gives a kernel its final name if all its regions are on disk. All regions are recorded in `journal`, the one for the
/// whole kernel, and the journals of shards are removed.
pub(super) fn finish(path: &Path, targets: &[TargetPaths], journal: &mut Journal) -> Result<()> {
    let journals = Journals::open(path)?;
    let missing = journals.missing();
    if let (Some(header), false) = (&journals.header, missing.is_empty()) {
        let missing = report::list_missing(&header.layout, &missing);
        return Err(Error::format(format!("{} is not complete{missing}", path.display())));
    }
    let merged = paths::journal(path, (0, 1));
    let shards = || journals.contents.iter().filter(|(path, _)| *path != merged);
    let locks = shards().map(|(path, _)| report::lock(path)).collect::<Result<Vec<_>>>()?;
    let mut unrecorded = journals.sums.clone();
    for (_, contents) in journals.contents.iter().filter(|(path, _)| *path == merged) {
        contents.regions.iter().for_each(|&(index, _)| unrecorded[index] = None);
    }
    let unrecorded: Vec<_> =
        unrecorded.into_iter().enumerate().filter_map(|(index, sum)| Some((index, sum?))).collect();
    journal.record(&unrecorded, || Ok(()))?;
    // The total is renamed last: if it has its final name, so have the components.
    targets.iter().rev().try_for_each(rename)?;
    paths::sync_folder(paths::folder(path))?;
    drop(locks);
    shards().try_for_each(|(path, _)| std::fs::remove_file(path).map_err(paths::io_error(path)))
}

/// Gives a file its final name. After a crash it may have the name already.
fn rename(target: &TargetPaths) -> Result<()> {
    let TargetPaths { partial, complete } = target;
    match (partial.exists(), complete.exists()) {
        (true, false) => std::fs::rename(partial, complete).map_err(paths::io_error(partial)),
        (false, true) => Ok(()),
        (true, true) => {
            let complete = complete.display();
            Err(Error::unsupported(format!("{complete} exists already and is not overwritten: use another name")))
        }
        (false, false) => Err(Error::io(format!("{} is gone: another program removed it", partial.display()))),
    }
}

/// An active run.
#[derive(Debug)]
struct ActiveRun<S: Storage> {
    storage: S,
    header: Header,
    targets: Vec<TargetPaths>,
    shard: (usize, usize),
    journal: Mutex<Journal>,
    pending: Mutex<Pending>,
    buffers: Buffers,
}

/// Regions that are written but not yet synced.
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

    /// Adds a region. Returns true if the pending regions should be synced now.
    fn add(&mut self, index: usize, sum: u64, bytes: u64) -> bool {
        self.regions.push((index, sum));
        self.bytes += bytes;
        let full = self.bytes >= BATCH || self.since.elapsed() >= WAIT;
        if full {
            // The counters restart now, so one thread syncs while the others continue.
            self.bytes = 0;
            self.since = Instant::now();
        }
        full
    }
}

impl<S: Storage> ActiveRun<S> {
    fn put<R: Real>(&self, data: &RegionData<'_, R>) -> Result<()> {
        let layout = &self.header.layout;
        let index = data.index;
        let region = layout.regions.get(index).filter(|region| data.frame.regions.get(index) == Some(region));
        let region = region.ok_or_else(|| Error::value(format!("region {index} does not belong to this run")))?;
        let bytes = little_endian(data.entries);
        let expected = layout.matrices.len() * layout.blocks * region.entries() * layout.size;
        if bytes.len() != expected {
            let given = bytes.len();
            return Err(Error::shape(format!("region {index} needs {expected} bytes, but was given {given}")));
        }
        let sum = xxh3_64(&bytes);
        self.storage.write_region(layout, region, &bytes, &self.buffers)?;
        let full = self.pending().add(index, sum, bytes.len() as u64);
        if full { self.flush() } else { Ok(()) }
    }

    /// Syncs all written data and records their regions.
    fn flush(&self) -> Result<()> {
        // The journal is locked first. Otherwise a second thread could record regions before the first one has synced.
        let mut journal = self.journal();
        let regions = std::mem::take(&mut self.pending().regions);
        journal.record(&regions, || self.storage.sync())
    }

    fn pending(&self) -> MutexGuard<'_, Pending> {
        self.pending.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn journal(&self) -> MutexGuard<'_, Journal> {
        self.journal.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A run that ends early, by an error or by cancellation, keeps its regions.
impl<S: Storage> Drop for ActiveRun<S> {
    fn drop(&mut self) {
        if !self.pending().regions.is_empty() {
            // There is no one to report a failure to. The regions are then computed again.
            let _ = self.flush();
        }
    }
}

fn little_endian<R: Real>(entries: &[R]) -> Cow<'_, [u8]> {
    let bytes: &[u8] = bytemuck::cast_slice(entries);
    if cfg!(target_endian = "little") {
        Cow::Borrowed(bytes)
    } else {
        bytes.chunks_exact(size_of::<R>()).flat_map(|number| number.iter().rev().copied()).collect()
    }
}
