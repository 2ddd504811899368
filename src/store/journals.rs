//! All journals of a kernel together.

use std::path::{Path, PathBuf};

use super::journal::JournalContents;
use super::kernel_layout::Header;
use super::paths;
use super::storage::TargetPaths;
use crate::error::{Error, Result};

/// The combined contents of all journals of a kernel.
#[derive(Debug)]
pub(super) struct Journals {
    pub contents: Vec<(PathBuf, JournalContents)>,
    /// The run that computes the kernel. `None` if no journal has a complete header.
    pub header: Option<Header>,
    /// One checksum per region on disk, `None` for missing regions.
    pub sums: Vec<Option<u64>>,
}

impl Journals {
    /// Reads all journals of the kernel at `path`.
    ///
    /// # Errors
    /// A journal cannot be read, or two journals contradict each other.
    pub fn open(path: &Path) -> Result<Self> {
        let mut journals = Journals { contents: Vec::new(), header: None, sums: Vec::new() };
        for journal in paths::journals(path)? {
            let contents = JournalContents::read(&journal)?;
            journals.merge(&journal, &contents)?;
            journals.contents.push((journal, contents));
        }
        Ok(journals)
    }

    fn merge(&mut self, journal: &Path, contents: &JournalContents) -> Result<()> {
        let Some(header) = &contents.header else { return Ok(()) };
        let journal = journal.display();
        match &self.header {
            None => {
                self.sums = vec![None; header.layout.regions.len()];
                self.header = Some(header.clone());
            }
            Some(first) => {
                if let Some(difference) = first.difference(header) {
                    return Err(Error::format(format!(
                        "{journal} belongs to another run than the other journals: {difference}"
                    )));
                }
            }
        }
        for &(index, sum) in &contents.regions {
            if self.sums[index].replace(sum).is_some_and(|other| other != sum) {
                return Err(Error::format(format!(
                    "{journal}: region {index} was computed twice, with different results"
                )));
            }
        }
        Ok(())
    }

    /// The number of regions on disk.
    pub fn done(&self) -> usize {
        self.sums.iter().flatten().count()
    }

    /// The regions that are not on disk.
    pub fn missing(&self) -> Vec<usize> {
        (0..self.sums.len()).filter(|&index| self.sums[index].is_none()).collect()
    }

    /// Whether all regions are on disk.
    pub fn complete(&self) -> bool {
        self.header.is_some() && self.sums.iter().all(Option::is_some)
    }

    /// Checks that the run of `header` may start or continue at `targets`.
    ///
    /// # Errors
    /// Another run owns the files, or no journal describes them.
    pub fn check_owner(&self, header: &Header, targets: &[TargetPaths]) -> Result<()> {
        let existing = targets.iter().map(|target| &target.complete).find(|path| path.exists());
        let partial = targets.iter().map(|target| &target.partial).find(|path| path.exists());
        let difference = self.header.as_ref().and_then(|stored| stored.difference(header));
        if let Some(existing) = existing.filter(|_| difference.is_some() || !self.complete()) {
            let reason = difference.unwrap_or_else(|| "its journals do not list all of its regions".into());
            let existing = existing.display();
            return Err(Error::unsupported(format!(
                "{existing} exists already and belongs to another run: {reason}. It is not overwritten: use another name"
            )));
        }
        if let Some(difference) = difference {
            let journals: Vec<String> = self.contents.iter().map(|(path, _)| path.display().to_string()).collect();
            let (partial, journals) = (partial.unwrap_or(&targets[0].partial).display(), journals.join(", "));
            return Err(Error::unsupported(format!(
                "{partial} belongs to another run: {difference}. Use another name, or remove it and {journals}"
            )));
        }
        if let Some(partial) = partial.filter(|_| self.contents.is_empty()) {
            let partial = partial.display();
            return Err(Error::unsupported(format!(
                "{partial} exists without a journal that describes it. Use another name, or remove it"
            )));
        }
        Ok(())
    }
}
