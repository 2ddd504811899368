//! Several arrays in one file, as numpy's `savez` writes and `load` reads them: a zip archive with a `.npy` file for each.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;

use super::{atomic, npy};
use crate::error::{Error, Result};
use crate::real::Real;

/// An array of a `.npz` file: its name, its shape, and its entries, row-major.
pub type Entry<'a, R> = (&'a str, &'a [usize], &'a [R]);

/// The version of zip that a reader needs: 4.5, with sizes of 64 bits.
const VERSION: u16 = 45;
/// Names are UTF-8.
const FLAGS: u16 = 1 << 11;
/// 1 January 1980, the first day of zip: the same arrays always give the same bytes.
const DATE: u16 = 1 << 5 | 1;
/// What stands where a size is told elsewhere, in 64 bits.
const ELSEWHERE: u32 = u32::MAX;

/// Writes `arrays` to a `.npz` file at `path`: `<f4` or `<f8`, in C order, not compressed (kernels hardly can be). The file
/// appears when it is whole. An array's name may be any, `layers.0/weight` too.
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
/// Two arrays have one name; the sizes of one do not multiply to the number of its entries; the file cannot be written. The
/// message names the file.
pub fn write<R: Real>(path: impl AsRef<Path>, arrays: &[Entry<'_, R>]) -> Result<()> {
    atomic::write(path.as_ref(), |out| {
        let mut archive = Archive { out, at: 0, members: Vec::new() };
        for (k, &(name, shape, data)) in arrays.iter().enumerate() {
            if arrays[..k].iter().any(|(before, ..)| *before == name) {
                return Err(Error::name(format!("two arrays are called '{name}'")));
            }
            archive.add(name, shape, data).map_err(|error| error.context(format_args!("array '{name}'")))?;
        }
        archive.finish()
    })
}

/// A zip archive that is being written.
struct Archive<'a> {
    out: &'a mut BufWriter<File>,
    /// How many bytes were written.
    at: u64,
    members: Vec<Member>,
}

/// What the directory at the end tells of a file.
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
            return Err(Error::name(format!("a name of {} bytes is too long for a zip archive", name.len())));
        }
        // The checksum stands before the data, so what is written is made twice: kernels are too large to be held again.
        let mut sum = Sum { hasher: crc32fast::Hasher::new(), size: 0 };
        npy::write_to(&mut sum, shape, data)?;
        let member = Member { name, checksum: sum.hasher.finalize(), size: sum.size, start: self.at };
        self.put(&member.local())?;
        npy::write_to(&mut *self.out, shape, data)?;
        self.at += member.size;
        self.members.push(member);
        Ok(())
    }

    /// The directory.
    fn finish(mut self) -> Result<()> {
        let start = self.at;
        let directory: Vec<u8> = self.members.iter().flat_map(Member::central).collect();
        self.put(&directory)?;
        let (count, size, end) = (self.members.len() as u64, directory.len() as u64, self.at);
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
        self.at += bytes.len() as u64;
        Ok(())
    }
}

impl Member {
    /// What stands before its data.
    fn local(&self) -> Vec<u8> {
        let mut head = Bytes::default();
        head.u32(0x0403_4b50).u16(VERSION);
        self.common(&mut head).u16(20);
        head.0.extend_from_slice(self.name.as_bytes());
        head.u16(1).u16(16).u64(self.size).u64(self.size);
        head.0
    }

    /// What stands in the directory.
    fn central(&self) -> Vec<u8> {
        let mut head = Bytes::default();
        head.u32(0x0201_4b50).u16(VERSION).u16(VERSION);
        self.common(&mut head).u16(28).u16(0).u16(0).u16(0).u32(0).u32(ELSEWHERE);
        head.0.extend_from_slice(self.name.as_bytes());
        head.u16(1).u16(24).u64(self.size).u64(self.size).u64(self.start);
        head.0
    }

    /// What both have in common; the second 0 says that the data are stored as they are.
    fn common<'a>(&self, head: &'a mut Bytes) -> &'a mut Bytes {
        let name = self.name.len() as u16;
        head.u16(FLAGS).u16(0).u16(0).u16(DATE).u32(self.checksum).u32(ELSEWHERE).u32(ELSEWHERE).u16(name)
    }
}

/// Numbers as zip has them: little endian.
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

/// Counts and sums up what is written to it.
struct Sum {
    hasher: crc32fast::Hasher,
    size: u64,
}

impl Write for Sum {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.hasher.update(bytes);
        self.size += bytes.len() as u64;
        Ok(bytes.len())
    }
    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}
