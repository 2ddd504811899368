//! Files that several threads write and read by position.

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

    pub fn write(&self, bytes: &[u8], position: u64) -> Result<()> {
        std::os::unix::fs::FileExt::write_all_at(&self.file, bytes, position)
    }

    pub fn read(&self, bytes: &mut [u8], position: u64) -> Result<()> {
        std::os::unix::fs::FileExt::read_exact_at(&self.file, bytes, position)
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

    pub fn write(&self, mut bytes: &[u8], mut position: u64) -> Result<()> {
        while !bytes.is_empty() {
            let written = std::os::windows::fs::FileExt::seek_write(&self.file, bytes, position)?;
            if written == 0 {
                return Err(std::io::ErrorKind::WriteZero.into());
            }
            bytes = &bytes[written..];
            position += written as u64;
        }
        Ok(())
    }

    pub fn read(&self, mut bytes: &mut [u8], mut position: u64) -> Result<()> {
        while !bytes.is_empty() {
            let read = std::os::windows::fs::FileExt::seek_read(&self.file, bytes, position)?;
            if read == 0 {
                return Err(std::io::ErrorKind::UnexpectedEof.into());
            }
            bytes = &mut bytes[read..];
            position += read as u64;
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

    fn seek(&self, position: u64) -> Result<std::sync::MutexGuard<'_, File>> {
        use std::io::Seek;
        // A panic of another thread leaves no invalid state, because every use seeks first.
        let mut file = self.file.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        file.seek(std::io::SeekFrom::Start(position))?;
        Ok(file)
    }

    pub fn write(&self, bytes: &[u8], position: u64) -> Result<()> {
        std::io::Write::write_all(&mut *self.seek(position)?, bytes)
    }

    pub fn read(&self, bytes: &mut [u8], position: u64) -> Result<()> {
        std::io::Read::read_exact(&mut *self.seek(position)?, bytes)
    }

    pub fn sync(&self) -> Result<()> {
        self.seek(0)?.sync_data()
    }
}
