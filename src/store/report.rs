//! Comparison of kernels on disk with their journals.

use std::fmt;
use std::fs::File;
use std::ops::Range;
use std::path::{Path, PathBuf};

use rayon::prelude::*;

use super::journal::{Journal, Lock};
use super::journals::Journals;
use super::kernel_layout::{Header, KernelLayout};
use super::npy::NpyStorage;
use super::storage::{Buffers, Storage, TargetPaths};
#[cfg(feature = "zarr")]
use super::zarr::ZarrStorage;
use super::{paths, run};
use crate::error::{Error, Result};

/// The number of regions that a message lists.
const LISTED: usize = 20;

/// The result of [`check`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Report {
    /// The path of the kernel.
    pub path: PathBuf,
    /// True if the kernel has its final name, so all regions were written.
    pub finished: bool,
    /// The number of regions of K.
    pub regions: usize,
    /// The number of regions that the journals list.
    pub done: usize,
    /// The regions that the journals do not list. They are still to be computed.
    pub missing: Vec<RegionLocation>,
    /// The regions whose data do not match their checksums.
    pub corrupt: Vec<CorruptRegion>,
}

/// The number of a region and its rectangle of K.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RegionLocation {
    /// Its number.
    pub region: usize,
    /// Its rows.
    pub rows: Range<usize>,
    /// Its columns.
    pub cols: Range<usize>,
}

/// A region whose data, or whose mirror image, do not match the checksum.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct CorruptRegion {
    /// The region.
    pub location: RegionLocation,
    /// A description of the fault.
    pub fault: String,
}

impl Report {
    /// True if no region is missing and none is corrupt.
    pub fn is_intact(&self) -> bool {
        self.missing.is_empty() && self.corrupt.is_empty()
    }
}

impl RegionLocation {
    fn new(layout: &KernelLayout, region: usize) -> Self {
        let rectangle = &layout.regions[region];
        RegionLocation { region, rows: rectangle.rows.clone(), cols: rectangle.cols.clone() }
    }
}

impl fmt::Display for RegionLocation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "region {}, rows {:?}, columns {:?}", self.region, self.rows, self.cols)
    }
}

impl fmt::Display for CorruptRegion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.location, self.fault)
    }
}

/// One line for the kernel, and one line for each missing or corrupt region. Long lists are shortened.
impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Report { path, finished, regions, done, missing, corrupt } = self;
        let state = if *finished { "finished" } else { "unfinished" };
        write!(f, "{}: {state}, {done} of {regions} regions are on disk", path.display())?;
        if *done > 0 {
            match corrupt.len() {
                0 => write!(f, ", all match their checksums")?,
                corrupt => write!(f, ", {corrupt} of them are corrupt")?,
            }
        }
        f.write_str(&list("missing", missing.iter()))?;
        f.write_str(&list("corrupt", corrupt.iter()))
    }
}

fn list<T: fmt::Display>(label: &str, items: impl ExactSizeIterator<Item = T>) -> String {
    let more = items.len().saturating_sub(LISTED);
    let mut text: String = items.take(LISTED).map(|item| format!("\n  {label}: {item}")).collect();
    if more > 0 {
        text += &format!("\n  {label}: {more} more");
    }
    text
}

/// The missing regions as lines of a message.
pub(super) fn list_missing(layout: &KernelLayout, missing: &[usize]) -> String {
    list("missing", missing.iter().map(|&region| RegionLocation::new(layout, region)))
}

/// Reads the kernel at `path`, finished or not, and compares every region and its mirror image with the checksum in the
/// journals.
///
/// This also works while the kernel is computed. `path` is the final name of the kernel.
///
/// ```no_run
/// let report = tangent_kernels::store::check("kernel.npy")?;
/// println!("{report}");
/// assert!(report.is_intact());
/// # Ok::<(), tangent_kernels::Error>(())
/// ```
///
/// # Errors
/// There is no readable journal, or the data are missing or have the wrong length.
pub fn check(path: impl AsRef<Path>) -> Result<Report> {
    let path = path.as_ref();
    let (journals, header) = open(path)?;
    match header.layout.format {
        NpyStorage::FORMAT => compare::<NpyStorage>(path, &journals, &header),
        #[cfg(feature = "zarr")]
        ZarrStorage::FORMAT => compare::<ZarrStorage>(path, &journals, &header),
        format => Err(missing_feature(path, format)),
    }
}

/// Finishes a kernel that several processes computed in shards.
///
/// If no region is missing and [`check`] finds none corrupt, the kernel gets its final name `path`, and one journal
/// replaces those of the shards.
///
/// # Errors
/// A region is missing or corrupt, or a process still computes a shard. The message lists the regions, and no file is
/// changed. Also the errors of [`check`].
pub fn merge(path: impl AsRef<Path>) -> Result<Report> {
    let path = path.as_ref();
    let (journals, header) = open(path)?;
    let missing = journals.missing();
    if !missing.is_empty() {
        let (done, count) = (journals.done(), header.layout.regions.len());
        let missing = list_missing(&header.layout, &missing);
        let path = path.display();
        return Err(Error::format(format!(
            "{path} cannot be merged: {done} of {count} regions are on disk, run the shards of the others{missing}"
        )));
    }
    let merged = paths::journal(path, (0, 1));
    // The locks keep other processes from writing while the data are read. The merged journal is locked below.
    let shards = journals.contents.iter().map(|(path, _)| path).filter(|&path| *path != merged);
    let locks = shards.map(|path| lock(path)).collect::<Result<Vec<_>>>()?;
    let mut report = check(path)?;
    if !report.is_intact() {
        return Err(Error::format(report.to_string()));
    }
    let mut journal = Journal::open(merged, &header, (0, 1))?;
    drop(locks);
    run::finish(path, &targets(path, &header.layout)?, &mut journal)?;
    report.finished = true;
    Ok(report)
}

/// Locks the journal at `path`.
pub(super) fn lock(path: &Path) -> Result<Lock> {
    Lock::take(path, &File::open(path).map_err(paths::io_error(path))?)
}

fn open(path: &Path) -> Result<(Journals, Header)> {
    let journals = Journals::open(path)?;
    let Some(header) = journals.header.clone() else {
        let path = path.display();
        return Err(Error::format(format!(
            "{path} has no journal: only kernels that were written with one can be checked"
        )));
    };
    Ok((journals, header))
}

fn targets(path: &Path, layout: &KernelLayout) -> Result<Vec<TargetPaths>> {
    match layout.format {
        NpyStorage::FORMAT => Ok(NpyStorage::targets(path, layout)),
        #[cfg(feature = "zarr")]
        ZarrStorage::FORMAT => Ok(ZarrStorage::targets(path, layout)),
        format => Err(missing_feature(path, format)),
    }
}

fn missing_feature(path: &Path, format: &str) -> Error {
    let path = path.display();
    Error::unsupported(format!("{path} has the format {format}: build with the feature '{format}' to read it"))
}

fn compare<S: Storage>(path: &Path, journals: &Journals, header: &Header) -> Result<Report> {
    let layout = &header.layout;
    let targets = S::targets(path, layout);
    let mut corrupt = Vec::new();
    // Without any region on disk the files may not exist yet.
    if journals.done() > 0 {
        let storage = S::open(&targets, header, false)?;
        corrupt = find_corrupt(&storage, layout, &journals.sums);
    }
    Ok(Report {
        path: path.to_owned(),
        finished: targets.iter().all(|target| target.complete.exists()),
        regions: layout.regions.len(),
        done: journals.done(),
        missing: journals.missing().into_iter().map(|region| RegionLocation::new(layout, region)).collect(),
        corrupt,
    })
}

/// Compares all regions on disk with their checksums.
fn find_corrupt<S: Storage>(storage: &S, layout: &KernelLayout, sums: &[Option<u64>]) -> Vec<CorruptRegion> {
    let buffers = Buffers::default();
    let check_region = |(region, sum): (usize, &Option<u64>)| {
        let fault = storage.find_fault(layout, &layout.regions[region], (*sum)?, &buffers)?;
        Some(CorruptRegion { location: RegionLocation::new(layout, region), fault })
    };
    sums.par_iter().enumerate().filter_map(check_region).collect()
}
