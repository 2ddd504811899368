//! All journals of a kernel together.

use std::path::{Path, PathBuf};

use super::files::Pair;
use super::journal::Record;
use super::layout::Header;
use super::paths;
use crate::error::{Error, Result};

/// What all journals of a kernel say.
#[derive(Debug)]
pub(super) struct Books {
    pub records: Vec<(PathBuf, Record)>,
    /// Whose kernel it is; `None` if no journal tells.
    pub header: Option<Header>,
    /// The checksums of the units that are on the disk.
    pub sums: Vec<Option<u64>>,
}

impl Books {
    /// Reads all journals of the kernel at `path`.
    ///
    /// # Errors
    /// One cannot be read; two contradict each other.
    pub fn open(path: &Path) -> Result<Self> {
        let mut books = Books { records: Vec::new(), header: None, sums: Vec::new() };
        for journal in paths::journals(path)? {
            let record = Record::read(&journal)?;
            books.add(&journal, &record)?;
            books.records.push((journal, record));
        }
        Ok(books)
    }

    fn add(&mut self, journal: &Path, record: &Record) -> Result<()> {
        let Some(header) = &record.header else { return Ok(()) };
        match &self.header {
            None => {
                self.sums = vec![None; header.layout.regions.len()];
                self.header = Some(header.clone());
            }
            Some(first) => {
                if let Some(difference) = first.difference(header) {
                    let path = journal.display();
                    return Err(Error::format(format!(
                        "{path} is of another run than the other journals: {difference}"
                    )));
                }
            }
        }
        for &(index, sum) in &record.regions {
            if self.sums[index].replace(sum).is_some_and(|other| other != sum) {
                let path = journal.display();
                return Err(Error::format(format!("{path}: unit {index} was computed twice, with different results")));
            }
        }
        Ok(())
    }

    /// How many units are on the disk.
    pub fn done(&self) -> usize {
        self.sums.iter().flatten().count()
    }

    /// The units that are not.
    pub fn missing(&self) -> Vec<usize> {
        (0..self.sums.len()).filter(|&index| self.sums[index].is_none()).collect()
    }

    /// Are all units on the disk?
    pub fn complete(&self) -> bool {
        self.header.is_some() && self.sums.iter().all(Option::is_some)
    }

    /// May the run of `header` write to `pairs`, or go on there?
    pub fn allow(&self, header: &Header, pairs: &[Pair]) -> Result<()> {
        let whole = pairs.iter().map(|pair| &pair.whole).find(|path| path.exists());
        let partial = pairs.iter().map(|pair| &pair.partial).find(|path| path.exists());
        let difference = self.header.as_ref().and_then(|there| there.difference(header));
        let journals: Vec<String> = self.records.iter().map(|(path, _)| path.display().to_string()).collect();
        let fault = match (whole, partial, difference) {
            (Some(whole), _, difference) if difference.is_some() || !self.complete() => {
                let why = difference.unwrap_or_else(|| "no journal tells of all its units".into());
                let whole = whole.display();
                format!(
                    "{whole} is there already, and not of this run: {why}. It is not written over; use another name"
                )
            }
            (_, _, Some(difference)) => {
                let there = partial.unwrap_or(&pairs[0].partial).display();
                let journals = journals.join(", ");
                format!("{there} is of another run: {difference}. Use another name, or remove it and {journals}")
            }
            (_, Some(partial), _) if self.records.is_empty() => {
                let partial = partial.display();
                format!("{partial} is there without a journal that tells what it holds. Use another name, or remove it")
            }
            _ => return Ok(()),
        };
        Err(Error::unsupported(fault))
    }
}
