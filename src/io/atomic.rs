//! Writing files so that no half of one ever looks whole.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};

/// Writes a file at `path` by `fill`: to `NAME.partial` beside it, which takes the file's name when all is on the disk.
///
/// If anything goes wrong, what was at `path` before is still there, and nothing is left beside it. A partial file that
/// a killed program left behind is written over. Two writers of one path at one time would be in each other's way.
///
/// # Errors
/// `path` is no place for a file, the operating system refuses, or `fill` fails. The message names `path`.
pub(crate) fn write(path: &Path, fill: impl FnOnce(&mut BufWriter<File>) -> Result<()>) -> Result<()> {
    try_write(path, fill).map_err(|error| error.context(format_args!("cannot write {}", path.display())))
}

fn try_write(path: &Path, fill: impl FnOnce(&mut BufWriter<File>) -> Result<()>) -> Result<()> {
    let file = Unfinished::create(path)?;
    let mut out = BufWriter::new(file.handle()?);
    fill(&mut out)?;
    out.flush()?;
    drop(out);
    file.finish()
}

/// A file that has its name when it is finished. Dropped before, it leaves nothing.
pub(crate) struct Unfinished {
    /// Before the partial one, so that it is closed when that is removed: Windows wants it so.
    file: File,
    partial: Partial,
    path: PathBuf,
}

impl Unfinished {
    /// The file `path` is to be, empty; see [`write`].
    pub(crate) fn create(path: &Path) -> Result<Self> {
        let Some(name) = path.file_name() else {
            return Err(Error::io("this names no file"));
        };
        match fs::metadata(path) {
            Ok(there) if there.is_dir() => return Err(Error::io("this is a folder")),
            // A device or a pipe would be replaced by the file, which nobody wants who names one.
            Ok(there) if !there.is_file() => return Err(Error::io("this is no regular file")),
            _ => {}
        }
        if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty() && !folder.is_dir()) {
            return Err(Error::io(format!("there is no folder {}", folder.display())));
        }
        let mut partial_name = OsString::from(name);
        partial_name.push(".partial");
        let partial = Partial(path.with_file_name(partial_name));
        Ok(Unfinished { file: File::create(&partial.0)?, partial, path: path.into() })
    }

    /// One more handle to write by, all of which share one place in the file. To be dropped before the file is finished.
    pub(crate) fn handle(&self) -> Result<File> {
        Ok(self.file.try_clone()?)
    }

    /// Gives the file its name when all is on the disk.
    pub(crate) fn finish(self) -> Result<()> {
        let Unfinished { file, partial, path } = self;
        file.sync_all()?;
        // Closed before it is renamed: Windows wants it so.
        drop(file);
        fs::rename(&partial.0, &path)?;
        Ok(())
    }
}

/// A file that goes when this is dropped, also by a panic. After the renaming there is nothing left to go.
struct Partial(PathBuf);

impl Drop for Partial {
    fn drop(&mut self) {
        // Nothing can be done about a failure, and after success it is not there any more.
        let _ = fs::remove_file(&self.0);
    }
}
