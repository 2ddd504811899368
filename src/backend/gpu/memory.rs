//! Buffers on a device, and those that were let go and are used again.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use super::fault::Fault;
use crate::error::{Error, Result};

/// Buffers that were let go are kept for so many bytes together.
const KEPT_BYTES: u64 = 1 << 30;

/// What a buffer is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Purpose {
    /// Arrays, which kernels read and write.
    Array,
    /// Arrays that the host reads where they are.
    Mapped,
    /// On its way to the host.
    Reading,
}

impl Purpose {
    fn usages(self) -> wgpu::BufferUsages {
        use wgpu::BufferUsages as Usages;
        match self {
            Purpose::Array => Usages::STORAGE | Usages::COPY_SRC | Usages::COPY_DST,
            Purpose::Mapped => Usages::STORAGE | Usages::COPY_DST | Usages::MAP_READ,
            Purpose::Reading => Usages::MAP_READ | Usages::COPY_DST,
        }
    }
}

/// A buffer. When it is let go, the pool has it.
///
/// What was recorded before and uses it is done before whatever a later owner records: commands have one order.
pub(super) struct Buffer {
    inner: Option<wgpu::Buffer>,
    purpose: Purpose,
    pool: Arc<Pool>,
}

impl Buffer {
    pub fn purpose(&self) -> Purpose {
        self.purpose
    }
}

impl std::ops::Deref for Buffer {
    type Target = wgpu::Buffer;
    fn deref(&self) -> &wgpu::Buffer {
        self.inner.as_ref().expect("taken only when dropped")
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        if let Some(buffer) = self.inner.take() {
            self.pool.put_back(self.purpose, buffer);
        }
    }
}

/// Makes buffers, and keeps those that were let go.
pub(super) struct Pool {
    device: wgpu::Device,
    name: String,
    fault: Arc<Fault>,
    /// The most bytes of a buffer that kernels can be given.
    most: u64,
    free: Mutex<Free>,
}

#[derive(Default)]
struct Free {
    bytes: u64,
    by_size: HashMap<(Purpose, u64), Vec<wgpu::Buffer>>,
}

impl Pool {
    pub fn new(device: wgpu::Device, name: &str, fault: Arc<Fault>) -> Arc<Self> {
        let limits = device.limits();
        let most = limits.max_buffer_size.min(limits.max_storage_buffer_binding_size);
        Arc::new(Pool { device, name: name.to_string(), fault, most, free: Mutex::default() })
    }

    /// The most bytes that an array can have.
    pub fn most(&self) -> u64 {
        self.most
    }

    /// A buffer of at least so many bytes, whose contents are anything.
    ///
    /// # Errors
    /// The device has no such buffers, or no memory left.
    pub fn take(self: &Arc<Self>, purpose: Purpose, bytes: u64) -> Result<Buffer> {
        if bytes > self.most {
            return Err(Error::memory(format!(
                "an array of {bytes} bytes is needed at once, but {} takes at most {} bytes in one: a memory budget makes \
                 arrays smaller",
                self.name, self.most
            )));
        }
        let size = class(bytes).min(self.most / 4 * 4);
        let kept = self.free().take(purpose, size);
        let inner = match kept {
            Some(buffer) => buffer,
            None => self.made(purpose, size).or_else(|_| {
                // What is kept for later may be what is missing now.
                *self.free() = Free::default();
                let timeout = Some(std::time::Duration::from_secs(10));
                let _ = self.device.poll(wgpu::PollType::Wait { submission_index: None, timeout });
                self.made(purpose, size)
            })?,
        };
        Ok(Buffer { inner: Some(inner), purpose, pool: self.clone() })
    }

    fn made(&self, purpose: Purpose, size: u64) -> Result<wgpu::Buffer> {
        self.fault.check()?;
        let memory = self.device.push_error_scope(wgpu::ErrorFilter::OutOfMemory);
        let other = self.device.push_error_scope(wgpu::ErrorFilter::Validation);
        let buffer = self.device.create_buffer(&wgpu::BufferDescriptor {
            label: None,
            size,
            usage: purpose.usages(),
            mapped_at_creation: false,
        });
        let other = pollster::block_on(other.pop());
        if pollster::block_on(memory.pop()).is_some() {
            return Err(Error::memory(format!(
                "{} has no {size} bytes left for an array: a memory budget makes what is held smaller",
                self.name
            )));
        }
        match other {
            Some(error) => Err(Error::device(format!("{} refused an array of {size} bytes: {error}", self.name))),
            None => Ok(buffer),
        }
    }

    fn put_back(&self, purpose: Purpose, buffer: wgpu::Buffer) {
        let mut free = self.free();
        if free.bytes + buffer.size() <= KEPT_BYTES {
            free.bytes += buffer.size();
            free.by_size.entry((purpose, buffer.size())).or_default().push(buffer);
        }
    }

    fn free(&self) -> std::sync::MutexGuard<'_, Free> {
        self.free.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Free {
    fn take(&mut self, purpose: Purpose, size: u64) -> Option<wgpu::Buffer> {
        let buffer = self.by_size.get_mut(&(purpose, size))?.pop()?;
        self.bytes -= size;
        Some(buffer)
    }
}

/// Sizes in steps of at most a quarter, so that a buffer fits again.
fn class(bytes: u64) -> u64 {
    let bytes = bytes.max(256);
    let step = (bytes.next_power_of_two() / 8).max(64);
    bytes.next_multiple_of(step)
}

#[cfg(test)]
mod tests {
    use super::class;

    #[test]
    fn classes_hold_and_waste_little() {
        for bytes in (0..100_000).chain((1 << 30) - 5..(1 << 30) + 5) {
            let size = class(bytes);
            assert!(
                size >= bytes && size.is_multiple_of(4) && size <= (bytes + bytes / 4).max(256) + 4,
                "{bytes}: {size}"
            );
        }
    }
}
