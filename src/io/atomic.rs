//! Atomic writing of files: a file gets its name only when it is complete.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};

/// Writes a file at `path` with `fill`. The data go to `NAME.partial` in the same folder, which is renamed when all data
/// are on disk.
///
/// After an error the previous file at `path` is unchanged, and no partial file remains. A partial file of a killed
/// program is overwritten. Two programs must not write the same path at the same time.
///
/// # Errors
/// `path` cannot be a file, the operating system reports an error, or `fill` fails. The message names `path`.
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

/// A file under its partial name. If it is dropped unfinished, it is removed.
pub(crate) struct Unfinished {
    /// Declared before `partial`, so it is closed before the partial file is removed. Windows requires this order.
    file: File,
    partial: PartialFile,
    path: PathBuf,
}

impl Unfinished {
    /// Creates an empty file that will be renamed to `path`. See [`write`].
    pub(crate) fn create(path: &Path) -> Result<Self> {
        let Some(name) = path.file_name() else {
            return Err(Error::io("this path names no file"));
        };
        match fs::metadata(path) {
            Ok(data) if data.is_dir() => return Err(Error::io("this path is a folder")),
            // The rename would replace a device or a pipe, which is never intended.
            Ok(data) if !data.is_file() => return Err(Error::io("this path exists and is not a regular file")),
            _ => {}
        }
        if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty() && !folder.is_dir()) {
            return Err(Error::io(format!("there is no folder {}: create it first", folder.display())));
        }
        let mut partial_name = OsString::from(name);
        partial_name.push(".partial");
        let partial = PartialFile(path.with_file_name(partial_name));
        Ok(Unfinished { file: File::create(&partial.0)?, partial, path: path.into() })
    }

    /// Another handle for writing. All handles share one position. Drop it before [`finish`](Self::finish).
    pub(crate) fn handle(&self) -> Result<File> {
        Ok(self.file.try_clone()?)
    }

    /// Syncs the file and gives it its final name.
    pub(crate) fn finish(self) -> Result<()> {
        let Unfinished { file, partial, path } = self;
        file.sync_all()?;
        // Windows cannot rename an open file.
        drop(file);
        fs::rename(&partial.0, &path)?;
        Ok(())
    }
}

/// A partial file. It is removed on drop, also after a panic. After the rename it no longer exists.
struct PartialFile(PathBuf);

impl Drop for PartialFile {
    fn drop(&mut self) {
        // A failure cannot be handled here. After a rename it is expected.
        let _ = fs::remove_file(&self.0);
    }
}
