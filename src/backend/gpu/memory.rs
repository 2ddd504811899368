//! Buffers on a device, and the pool of free buffers.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use super::fault::Fault;
use crate::error::{Error, Result};

/// The largest number of bytes of free buffers.
const FREE_BYTES: u64 = 1 << 30;

/// The use of a buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Purpose {
    /// An array that kernels read and write.
    Array,
    /// An array that the host reads in place.
    Mapped,
    /// A copy for the host to read.
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

/// A buffer. When it is dropped, it returns to the pool.
///
/// Commands run in the order in which they are recorded. So commands of an earlier owner finish before those of a later
/// owner.
pub(super) struct Buffer {
    inner: Option<wgpu::Buffer>,
    purpose: Purpose,
    pool: Arc<DevicePool>,
}

impl Buffer {
    pub fn purpose(&self) -> Purpose {
        self.purpose
    }
}

impl std::ops::Deref for Buffer {
    type Target = wgpu::Buffer;
    fn deref(&self) -> &wgpu::Buffer {
        self.inner.as_ref().expect("only drop takes the buffer")
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        if let Some(buffer) = self.inner.take() {
            self.pool.put_back(self.purpose, buffer);
        }
    }
}

/// Allocates buffers, and keeps free ones for reuse.
pub(super) struct DevicePool {
    device: wgpu::Device,
    name: String,
    fault: Arc<Fault>,
    /// The largest number of bytes of a buffer that kernels can bind.
    largest: u64,
    free: Mutex<Free>,
}

#[derive(Default)]
struct Free {
    bytes: u64,
    by_size: HashMap<(Purpose, u64), Vec<wgpu::Buffer>>,
}

impl DevicePool {
    pub fn new(device: wgpu::Device, name: &str, fault: Arc<Fault>) -> Arc<Self> {
        let limits = device.limits();
        let largest = limits.max_buffer_size.min(limits.max_storage_buffer_binding_size);
        Arc::new(DevicePool { device, name: name.to_string(), fault, largest, free: Mutex::default() })
    }

    /// The largest number of bytes of an array.
    pub fn largest_array(&self) -> u64 {
        self.largest
    }

    /// A buffer of at least this number of bytes, with any contents.
    ///
    /// # Errors
    /// The device does not allow buffers of this size, or has no memory left.
    pub fn take(self: &Arc<Self>, purpose: Purpose, bytes: u64) -> Result<Buffer> {
        if bytes > self.largest {
            return Err(Error::memory(format!(
                "an array of {bytes} bytes is needed, but the GPU {} takes at most {} bytes in one array: set a smaller \
                 memory budget",
                self.name, self.largest
            )));
        }
        let size = size_class(bytes).min(self.largest / 4 * 4);
        let free = self.free().take(purpose, size);
        let inner = match free {
            Some(buffer) => buffer,
            None => self.allocate(purpose, size).or_else(|_| {
                // Free the pool's buffers and try again.
                *self.free() = Free::default();
                let timeout = Some(std::time::Duration::from_secs(10));
                let _ = self.device.poll(wgpu::PollType::Wait { submission_index: None, timeout });
                self.allocate(purpose, size)
            })?,
        };
        Ok(Buffer { inner: Some(inner), purpose, pool: self.clone() })
    }

    fn allocate(&self, purpose: Purpose, size: u64) -> Result<wgpu::Buffer> {
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
                "the GPU {} has no memory left for an array of {size} bytes: set a smaller memory budget",
                self.name
            )));
        }
        match other {
            Some(error) => {
                Err(Error::device(format!("the GPU {} refused an array of {size} bytes: {error}", self.name)))
            }
            None => Ok(buffer),
        }
    }

    fn put_back(&self, purpose: Purpose, buffer: wgpu::Buffer) {
        let mut free = self.free();
        if free.bytes + buffer.size() <= FREE_BYTES {
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

/// The size of the buffer for this number of bytes. Sizes grow in steps of at most a quarter, so that free buffers fit.
fn size_class(bytes: u64) -> u64 {
    let bytes = bytes.max(256);
    let step = (bytes.next_power_of_two() / 8).max(64);
    bytes.next_multiple_of(step)
}

#[cfg(test)]
mod tests {
    use super::size_class;

    #[test]
    fn size_classes_fit_and_waste_little() {
        for bytes in (0..100_000).chain((1 << 30) - 5..(1 << 30) + 5) {
            let size = size_class(bytes);
            assert!(
                size >= bytes && size.is_multiple_of(4) && size <= (bytes + bytes / 4).max(256) + 4,
                "{bytes}: {size}"
            );
        }
    }
}
