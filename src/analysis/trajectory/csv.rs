//! A table that is written line by line, and whole whenever it is looked at.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};

pub(super) struct Csv {
    path: PathBuf,
    file: File,
    /// Bytes that are known to be there.
    written: u64,
}

impl Csv {
    /// Begins the file anew.
    ///
    /// # Errors
    /// It cannot be written; the message names it.
    pub fn create(path: &Path, columns: &[String]) -> Result<Self> {
        let file = File::create(path).map_err(|error| failed(path, error))?;
        let mut csv = Csv { path: path.to_path_buf(), file, written: 0 };
        csv.append(&[columns.to_vec()])?;
        Ok(csv)
    }

    /// Adds lines by one call, so that a program that is killed leaves all or none of them. Where only a part can be
    /// written, such as on a full disk, it is taken back.
    ///
    /// # Errors
    /// They cannot be written.
    pub fn append(&mut self, lines: &[Vec<String>]) -> Result<()> {
        let text: String = lines.iter().map(|line| line.join(",") + "\n").collect();
        match self.file.write_all(text.as_bytes()).and_then(|()| self.file.flush()) {
            Ok(()) => {
                self.written += text.len() as u64;
                Ok(())
            }
            Err(error) => {
                // Nothing can be done if that fails too.
                let _ = self.file.set_len(self.written);
                Err(failed(&self.path, error))
            }
        }
    }
}

fn failed(path: &Path, error: std::io::Error) -> Error {
    Error::from(error).context(format_args!("cannot write {}", path.display()))
}

/// A cell for text, quoted where it must be.
pub(super) fn cell(text: &str) -> String {
    match text.contains([',', '"', '\n', '\r']) {
        true => format!("\"{}\"", text.replace('"', "\"\"")),
        false => text.to_string(),
    }
}
