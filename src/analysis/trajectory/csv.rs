//! A CSV file that is written line by line and is valid at any time.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};

pub(super) struct Csv {
    path: PathBuf,
    file: File,
    /// The number of bytes that are written completely.
    written: u64,
}

impl Csv {
    /// Creates the file, or truncates it.
    ///
    /// # Errors
    /// The file cannot be written. The message names it.
    pub fn create(path: &Path, columns: &[String]) -> Result<Self> {
        let file = File::create(path).map_err(|error| failed(path, error))?;
        let mut csv = Csv { path: path.to_path_buf(), file, written: 0 };
        csv.append(&[columns.to_vec()])?;
        Ok(csv)
    }

    /// Appends lines with one call, so that an interrupted program leaves all or none of them. If only a part can be written,
    /// for example on a full disk, it is removed.
    ///
    /// # Errors
    /// The lines cannot be written.
    pub fn append(&mut self, lines: &[Vec<String>]) -> Result<()> {
        let text: String = lines.iter().map(|line| line.join(",") + "\n").collect();
        match self.file.write_all(text.as_bytes()).and_then(|()| self.file.flush()) {
            Ok(()) => {
                self.written += text.len() as u64;
                Ok(())
            }
            Err(error) => {
                // If this fails too, there is no remedy.
                let _ = self.file.set_len(self.written);
                Err(failed(&self.path, error))
            }
        }
    }
}

fn failed(path: &Path, error: std::io::Error) -> Error {
    Error::from(error).context(format_args!("cannot write {}", path.display()))
}

/// A cell with text, in quotes if necessary.
pub(super) fn cell(text: &str) -> String {
    if text.contains([',', '"', '\n', '\r']) { format!("\"{}\"", text.replace('"', "\"\"")) } else { text.to_string() }
}
