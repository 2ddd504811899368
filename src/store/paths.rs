//! Names of files.

use std::ffi::OsString;
use std::fs::File;
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};

/// `path` with `end` after its name.
pub(super) fn with(path: &Path, end: &str) -> PathBuf {
    let mut name = path.file_name().map(OsString::from).unwrap_or_default();
    name.push(end);
    path.with_file_name(name)
}

/// The journal of share `part` of the kernel at `path`.
pub(super) fn journal(path: &Path, part: (usize, usize)) -> PathBuf {
    match part {
        (0, 1) => with(path, ".journal"),
        (i, n) => with(path, &format!(".journal-{i}-of-{n}")),
    }
}

/// All journals of the kernel at `path` that there are, in order of their names.
pub(super) fn journals(path: &Path) -> Result<Vec<PathBuf>> {
    let folder = folder(path);
    let Some(name) = path.file_name() else {
        return Err(Error::io(format!("{} names no file", path.display())));
    };
    let start = format!("{}.journal", name.to_string_lossy());
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(at(folder))? {
        let entry = entry.map_err(at(folder))?;
        let name = entry.file_name();
        if name.to_string_lossy().strip_prefix(&start).is_some_and(ours) {
            found.push(path.with_file_name(name));
        }
    }
    found.sort();
    Ok(found)
}

/// Is this the end of a journal's name: nothing or `-I-of-N`?
fn ours(end: &str) -> bool {
    let number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let shard = end.strip_prefix('-').and_then(|shard| shard.split_once("-of-"));
    end.is_empty() || shard.is_some_and(|(i, n)| number(i) && number(n))
}

/// The folder that `path` is in.
pub(super) fn folder(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Waits until the names in `folder` are on the disk, where folders can be opened at all.
pub(super) fn sync_folder(folder: &Path) -> Result<()> {
    if cfg!(unix) {
        File::open(folder).and_then(|folder| folder.sync_all()).map_err(at(folder))?;
    }
    Ok(())
}

/// A parameter's name as a part of a file's: what is not a letter, a digit, `-`, `_` or `.` as in an address, so that
/// different names stay different.
pub(super) fn component(name: &str) -> String {
    let mut safe = String::new();
    for (i, letter) in name.chars().enumerate() {
        match letter {
            '.' if i > 0 => safe.push('.'),
            '-' | '_' => safe.push(letter),
            _ if letter.is_alphanumeric() => safe.push(letter),
            _ => letter.to_string().bytes().for_each(|byte| safe.push_str(&format!("%{byte:02X}"))),
        }
    }
    safe
}

/// Turns an error of the operating system into one that names `path`.
pub(super) fn at(path: &Path) -> impl Fn(std::io::Error) -> Error {
    move |error| Error::from(error).context(path.display())
}
