//! Files written and read by position, from several threads.

use std::fs::File;
use std::io::Result;

/// A file without a cursor.
#[derive(Debug)]
pub(super) struct Positioned {
    #[cfg(any(unix, windows))]
    file: File,
    #[cfg(not(any(unix, windows)))]
    file: std::sync::Mutex<File>,
}

#[cfg(unix)]
impl Positioned {
    pub fn new(file: File) -> Self {
        Positioned { file }
    }

    pub fn write(&self, bytes: &[u8], at: u64) -> Result<()> {
        std::os::unix::fs::FileExt::write_all_at(&self.file, bytes, at)
    }

    pub fn read(&self, bytes: &mut [u8], at: u64) -> Result<()> {
        std::os::unix::fs::FileExt::read_exact_at(&self.file, bytes, at)
    }

    pub fn sync(&self) -> Result<()> {
        self.file.sync_data()
    }
}

#[cfg(windows)]
impl Positioned {
    pub fn new(file: File) -> Self {
        Positioned { file }
    }

    pub fn write(&self, mut bytes: &[u8], mut at: u64) -> Result<()> {
        while !bytes.is_empty() {
            let written = std::os::windows::fs::FileExt::seek_write(&self.file, bytes, at)?;
            if written == 0 {
                return Err(std::io::ErrorKind::WriteZero.into());
            }
            bytes = &bytes[written..];
            at += written as u64;
        }
        Ok(())
    }

    pub fn read(&self, mut bytes: &mut [u8], mut at: u64) -> Result<()> {
        while !bytes.is_empty() {
            let read = std::os::windows::fs::FileExt::seek_read(&self.file, bytes, at)?;
            if read == 0 {
                return Err(std::io::ErrorKind::UnexpectedEof.into());
            }
            bytes = &mut bytes[read..];
            at += read as u64;
        }
        Ok(())
    }

    pub fn sync(&self) -> Result<()> {
        self.file.sync_data()
    }
}

#[cfg(not(any(unix, windows)))]
impl Positioned {
    pub fn new(file: File) -> Self {
        Positioned { file: std::sync::Mutex::new(file) }
    }

    fn at(&self, at: u64) -> Result<std::sync::MutexGuard<'_, File>> {
        use std::io::Seek;
        // A thread that panicked left no state behind: every use seeks first.
        let mut file = self.file.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        file.seek(std::io::SeekFrom::Start(at))?;
        Ok(file)
    }

    pub fn write(&self, bytes: &[u8], at: u64) -> Result<()> {
        std::io::Write::write_all(&mut *self.at(at)?, bytes)
    }

    pub fn read(&self, bytes: &mut [u8], at: u64) -> Result<()> {
        std::io::Read::read_exact(&mut *self.at(at)?, bytes)
    }

    pub fn sync(&self) -> Result<()> {
        self.at(0)?.sync_data()
    }
}
