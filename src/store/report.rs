//! Kernels on disk against their journals.

use std::fmt;
use std::fs::File;
use std::ops::Range;
use std::path::{Path, PathBuf};

use rayon::prelude::*;

use super::books::Books;
use super::files::{Buffers, Files, Pair};
use super::journal::{Journal, Lock};
use super::layout::{Header, Layout};
use super::npy::Npy;
#[cfg(feature = "zarr")]
use super::zarr::Zarr;
use super::{paths, run};
use crate::error::{Error, Result};

/// How many units a message lists.
const LISTED: usize = 20;

/// What [`check`] found.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Report {
    /// The kernel.
    pub path: PathBuf,
    /// It has its name: it was whole once.
    pub finished: bool,
    /// The number of units of K.
    pub regions: usize,
    /// How many of them the journals tell of.
    pub done: usize,
    /// Those that they do not tell of, which are still to be computed.
    pub missing: Vec<Place>,
    /// Those whose data are not what was computed.
    pub altered: Vec<Altered>,
}

/// A unit and where it is in K.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Place {
    /// Its number.
    pub region: usize,
    /// Its rows.
    pub rows: Range<usize>,
    /// Its columns.
    pub cols: Range<usize>,
}

/// A unit whose data, or those of its mirror image, are not what was computed.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Altered {
    /// Which.
    pub place: Place,
    /// What is wrong, in words.
    pub fault: String,
}

impl Report {
    /// Nothing is missing and nothing altered.
    pub fn is_whole(&self) -> bool {
        self.missing.is_empty() && self.altered.is_empty()
    }
}

impl Place {
    fn of(layout: &Layout, region: usize) -> Self {
        let (rows, cols) = (layout.regions[region].rows.clone(), layout.regions[region].cols.clone());
        Place { region, rows, cols }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "unit {}, rows {:?}, columns {:?}", self.region, self.rows, self.cols)
    }
}

/// A line for the whole, and one for each unit with something wrong, of which not more than some are listed.
impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Report { path, finished, regions, done, missing, altered } = self;
        let state = if *finished { "finished" } else { "unfinished" };
        write!(f, "{}: {state}, {done} of {regions} regions are there", path.display())?;
        if *done > 0 {
            match altered.len() {
                0 => write!(f, ", all as they were computed")?,
                altered => write!(f, ", {altered} of them altered")?,
            }
        }
        f.write_str(&listed("missing", missing.iter()))?;
        f.write_str(&listed("altered", altered.iter().map(|Altered { place, fault }| format!("{place}: {fault}"))))
    }
}

fn listed<T: fmt::Display>(what: &str, all: impl ExactSizeIterator<Item = T>) -> String {
    let more = all.len().saturating_sub(LISTED);
    let mut text: String = all.take(LISTED).map(|one| format!("\n  {what}: {one}")).collect();
    if more > 0 {
        text += &format!("\n  {what}: {more} more");
    }
    text
}

/// The list of missing units in a message.
pub(super) fn list(layout: &Layout, missing: &[usize]) -> String {
    listed("missing", missing.iter().map(|&region| Place::of(layout, region)))
}

/// Reads the kernel at `path`, finished or not, and compares it with its journals: every unit and its mirror image must
/// have the checksum that the unit had when it was computed.
///
/// It may be asked for while the kernel is computed. `path` is the name that the kernel has when it is whole.
///
/// ```no_run
/// let report = tangent_kernels::store::check("kernel.npy")?;
/// println!("{report}");
/// assert!(report.is_whole());
/// # Ok::<(), tangent_kernels::Error>(())
/// ```
///
/// # Errors
/// There is no journal, or one that cannot be read; the data are gone, or not as long as they should be.
pub fn check(path: impl AsRef<Path>) -> Result<Report> {
    let path = path.as_ref();
    let (books, header) = open(path)?;
    match header.layout.format {
        Npy::FORMAT => compare::<Npy>(path, &books, &header),
        #[cfg(feature = "zarr")]
        Zarr::FORMAT => compare::<Zarr>(path, &books, &header),
        format => Err(Error::unsupported(format!("{} is {format}: this needs that feature", path.display()))),
    }
}

/// Finishes a kernel that several processes computed, each a share: if no unit is missing and [`check`] finds none
/// altered, the kernel gets its name `path`, and the journals of the shares become one.
///
/// # Errors
/// A unit is missing or altered: the message lists them, and nothing is changed. A process still computes a share. What
/// [`check`] fails for.
pub fn merge(path: impl AsRef<Path>) -> Result<Report> {
    let path = path.as_ref();
    let (books, header) = open(path)?;
    let missing = books.missing();
    if !missing.is_empty() {
        let (done, all) = (books.done(), header.layout.regions.len());
        let missing = list(&header.layout, &missing);
        return Err(Error::format(format!("{} has {done} of {all} units{missing}", path.display())));
    }
    let own = paths::journal(path, (0, 1));
    // Nobody writes while the data are read. That of all units is locked below.
    let others = books.records.iter().map(|(path, _)| path).filter(|&path| *path != own);
    let locks = others.map(|path| lock(path)).collect::<Result<Vec<_>>>()?;
    let mut report = check(path)?;
    if !report.is_whole() {
        return Err(Error::format(report.to_string()));
    }
    let mut journal = Journal::open(own, &header, (0, 1))?;
    drop(locks);
    run::finish(path, &pairs(path, &header.layout)?, &mut journal)?;
    report.finished = true;
    Ok(report)
}

/// Locks the journal at `path`.
pub(super) fn lock(path: &Path) -> Result<Lock> {
    Lock::take(path, &File::open(path).map_err(paths::at(path))?)
}

fn open(path: &Path) -> Result<(Books, Header)> {
    let books = Books::open(path)?;
    let Some(header) = books.header.clone() else {
        return Err(Error::format(format!("no journal tells of {}", path.display())));
    };
    Ok((books, header))
}

fn pairs(path: &Path, layout: &Layout) -> Result<Vec<Pair>> {
    match layout.format {
        Npy::FORMAT => Ok(Npy::pairs(path, layout)),
        #[cfg(feature = "zarr")]
        Zarr::FORMAT => Ok(Zarr::pairs(path, layout)),
        format => Err(Error::unsupported(format!("{} is {format}: this needs that feature", path.display()))),
    }
}

fn compare<F: Files>(path: &Path, books: &Books, header: &Header) -> Result<Report> {
    let layout = &header.layout;
    let pairs = F::pairs(path, layout);
    let mut altered = Vec::new();
    // Before the first unit is on the disk there may be no files yet.
    if books.done() > 0 {
        let files = F::open(&pairs, header, false)?;
        let buffers = Buffers::default();
        let fault = |(region, sum): (usize, &Option<u64>)| {
            let fault = files.fault(layout, &layout.regions[region], (*sum)?, &buffers)?;
            Some(Altered { place: Place::of(layout, region), fault })
        };
        altered = books.sums.par_iter().enumerate().filter_map(fault).collect();
    }
    Ok(Report {
        path: path.to_owned(),
        finished: pairs.iter().all(|pair| pair.whole.exists()),
        regions: layout.regions.len(),
        done: books.done(),
        missing: books.missing().into_iter().map(|region| Place::of(layout, region)).collect(),
        altered,
    })
}
