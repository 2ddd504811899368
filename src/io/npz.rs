//! Several arrays in one `.npz` file, for numpy's `load`: a zip archive with one `.npy` file per array.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;

use super::{atomic, npy};
use crate::error::{Error, Result};
use crate::real::Real;

/// An array of a `.npz` file: its name, its shape, and its entries, row-major.
pub type Entry<'a, R> = (&'a str, &'a [usize], &'a [R]);

/// The version of zip that a reader needs: 4.5, which has 64-bit sizes.
const VERSION: u16 = 45;
/// The flag for names in UTF-8.
const FLAGS: u16 = 1 << 11;
/// 1 January 1980, the first date of zip. A fixed date makes the bytes reproducible.
const DATE: u16 = 1 << 5 | 1;
/// Marks a size that is stored in a 64-bit field elsewhere.
const ELSEWHERE: u32 = u32::MAX;

/// Writes `arrays` to a `.npz` file at `path`.
///
/// The type is `<f4` or `<f8`, in C order. The arrays are not compressed, because compression saves little for kernels. The
/// file appears when it is complete. Names may contain any characters, such as `layers.0/weight`.
///
/// ```
/// use tangent_kernels::io::npz;
/// # let folder = tempfile::tempdir().unwrap();
/// # let path = folder.path().join("kernel.npz");
/// npz::write(&path, &[("total", &[1, 2], &[3.0f32, 4.0]), ("d1.weight", &[1, 2], &[1.0, 1.0])])?;
/// // In Python: numpy.load("kernel.npz")["d1.weight"]
/// # Ok::<(), tangent_kernels::Error>(())
/// ```
///
/// # Errors
/// Two arrays have the same name, the product of an array's sizes is not the number of its entries, or the file cannot be
/// written. The message names the file.
pub fn write<R: Real>(path: impl AsRef<Path>, arrays: &[Entry<'_, R>]) -> Result<()> {
    atomic::write(path.as_ref(), |out| write_archive(out, arrays))
}

fn write_archive<R: Real>(out: &mut BufWriter<File>, arrays: &[Entry<'_, R>]) -> Result<()> {
    let mut archive = Archive { out, position: 0, members: Vec::new() };
    for (k, &(name, shape, data)) in arrays.iter().enumerate() {
        if arrays[..k].iter().any(|(before, ..)| *before == name) {
            return Err(Error::name(format!("two arrays have the name '{name}': rename one of them")));
        }
        archive.add(name, shape, data).map_err(|error| error.context(format_args!("array '{name}'")))?;
    }
    archive.finish()
}

/// A zip archive that is being written.
struct Archive<'a> {
    out: &'a mut BufWriter<File>,
    /// The number of bytes that were written.
    position: u64,
    members: Vec<Member>,
}

/// The directory entry of a file.
struct Member {
    name: String,
    checksum: u32,
    size: u64,
    start: u64,
}

impl Archive<'_> {
    fn add<R: Real>(&mut self, name: &str, shape: &[usize], data: &[R]) -> Result<()> {
        let name = format!("{name}.npy");
        if name.len() > usize::from(u16::MAX) {
            return Err(Error::name(format!(
                "a name of {} bytes is too long for a zip archive: use at most 65535 bytes",
                name.len()
            )));
        }
        // The checksum precedes the data, so the data are encoded twice. A copy of a kernel would need too much memory.
        let mut sum = Checksum { hasher: crc32fast::Hasher::new(), size: 0 };
        npy::write_to(&mut sum, shape, data)?;
        let member = Member { name, checksum: sum.hasher.finalize(), size: sum.size, start: self.position };
        self.put(&member.local())?;
        npy::write_to(&mut *self.out, shape, data)?;
        self.position += member.size;
        self.members.push(member);
        Ok(())
    }

    /// Writes the directory.
    fn finish(mut self) -> Result<()> {
        let start = self.position;
        let directory: Vec<u8> = self.members.iter().flat_map(Member::central).collect();
        self.put(&directory)?;
        let count = self.members.len() as u64;
        let size = directory.len() as u64;
        let end = self.position;
        let mut tail = Bytes::default();
        tail.u32(0x0606_4b50)
            .u64(44)
            .u16(VERSION)
            .u16(VERSION)
            .u32(0)
            .u32(0)
            .u64(count)
            .u64(count)
            .u64(size)
            .u64(start);
        tail.u32(0x0706_4b50).u32(0).u64(end).u32(1);
        tail.u32(0x0605_4b50).u16(0).u16(0).u16(u16::MAX).u16(u16::MAX).u32(ELSEWHERE).u32(ELSEWHERE).u16(0);
        self.put(&tail.0)
    }

    fn put(&mut self, bytes: &[u8]) -> Result<()> {
        self.out.write_all(bytes)?;
        self.position += bytes.len() as u64;
        Ok(())
    }
}

impl Member {
    /// The header before its data.
    fn local(&self) -> Vec<u8> {
        let mut head = Bytes::default();
        head.u32(0x0403_4b50).u16(VERSION);
        self.common(&mut head).u16(20);
        head.0.extend_from_slice(self.name.as_bytes());
        head.u16(1).u16(16).u64(self.size).u64(self.size);
        head.0
    }

    /// Its entry in the directory.
    fn central(&self) -> Vec<u8> {
        let mut head = Bytes::default();
        head.u32(0x0201_4b50).u16(VERSION).u16(VERSION);
        self.common(&mut head).u16(28).u16(0).u16(0).u16(0).u32(0).u32(ELSEWHERE);
        head.0.extend_from_slice(self.name.as_bytes());
        head.u16(1).u16(24).u64(self.size).u64(self.size).u64(self.start);
        head.0
    }

    /// The fields that both have in common. The second 0 means that the data are not compressed.
    fn common<'a>(&self, head: &'a mut Bytes) -> &'a mut Bytes {
        let name = self.name.len() as u16;
        head.u16(FLAGS).u16(0).u16(0).u16(DATE).u32(self.checksum).u32(ELSEWHERE).u32(ELSEWHERE).u16(name)
    }
}

/// Bytes of little endian numbers.
#[derive(Default)]
struct Bytes(Vec<u8>);

impl Bytes {
    fn u16(&mut self, x: u16) -> &mut Self {
        self.0.extend_from_slice(&x.to_le_bytes());
        self
    }
    fn u32(&mut self, x: u32) -> &mut Self {
        self.0.extend_from_slice(&x.to_le_bytes());
        self
    }
    fn u64(&mut self, x: u64) -> &mut Self {
        self.0.extend_from_slice(&x.to_le_bytes());
        self
    }
}

/// Counts the bytes that are written to it and computes their checksum.
struct Checksum {
    hasher: crc32fast::Hasher,
    size: u64,
}

impl Write for Checksum {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.hasher.update(bytes);
        self.size += bytes.len() as u64;
        Ok(bytes.len())
    }
    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}
