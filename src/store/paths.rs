//! File names.

use std::ffi::OsString;
use std::fs::File;
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};

/// `path` with `suffix` appended to its file name.
pub(super) fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.file_name().map(OsString::from).unwrap_or_default();
    name.push(suffix);
    path.with_file_name(name)
}

/// The journal of shard `shard`, (i, n), of the kernel at `path`.
pub(super) fn journal(path: &Path, shard: (usize, usize)) -> PathBuf {
    match shard {
        (0, 1) => with_suffix(path, ".journal"),
        (i, n) => with_suffix(path, &format!(".journal-{i}-of-{n}")),
    }
}

/// All existing journals of the kernel at `path`, ordered by name.
pub(super) fn journals(path: &Path) -> Result<Vec<PathBuf>> {
    let folder = folder(path);
    let Some(name) = path.file_name() else {
        return Err(Error::io(format!("{} is not the name of a file", path.display())));
    };
    let prefix = format!("{}.journal", name.to_string_lossy());
    let mut journals = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(io_error(folder))? {
        let name = entry.map_err(io_error(folder))?.file_name();
        if name.to_string_lossy().strip_prefix(&prefix).is_some_and(is_journal_suffix) {
            journals.push(path.with_file_name(name));
        }
    }
    journals.sort();
    Ok(journals)
}

/// Whether this is the end of a journal's name: empty or `-I-of-N`.
fn is_journal_suffix(suffix: &str) -> bool {
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let shard = suffix.strip_prefix('-').and_then(|shard| shard.split_once("-of-"));
    suffix.is_empty() || shard.is_some_and(|(i, n)| is_number(i) && is_number(n))
}

/// The folder that contains `path`.
pub(super) fn folder(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Waits until the names in `folder` are on disk, on systems that can open folders.
pub(super) fn sync_folder(folder: &Path) -> Result<()> {
    if cfg!(unix) {
        File::open(folder).and_then(|folder| folder.sync_all()).map_err(io_error(folder))?;
    }
    Ok(())
}

/// A parameter's name as a part of a file name. All characters except letters, digits, `-`, `_` and `.` are
/// percent-encoded, so different names stay different.
pub(super) fn encode_name(name: &str) -> String {
    let mut encoded = String::new();
    for (i, character) in name.chars().enumerate() {
        match character {
            '.' if i > 0 => encoded.push('.'),
            '-' | '_' => encoded.push(character),
            _ if character.is_alphanumeric() => encoded.push(character),
            _ => character.to_string().bytes().for_each(|byte| encoded.push_str(&format!("%{byte:02X}"))),
        }
    }
    encoded
}

/// Converts an error of the operating system into one that names `path`.
pub(super) fn io_error(path: &Path) -> impl Fn(std::io::Error) -> Error {
    move |error| Error::from(error).context(path.display())
}
