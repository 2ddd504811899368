//! The first error of a device. Handlers record it, and the next check returns it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::error::{Error, Result};

/// The first fault of a device. A lost device stays lost.
#[derive(Default)]
pub(super) struct Fault(Mutex<Option<Error>>);

impl Fault {
    /// Records the faults of a device from now on. This replaces the default handlers, which panic.
    pub fn watch(device: &wgpu::Device, name: &str) -> Arc<Self> {
        let fault = Arc::new(Fault::default());
        let for_loss = fault.clone();
        let lost_name = name.to_string();
        device.set_device_lost_callback(move |reason, message| {
            let details = if message.is_empty() { String::new() } else { format!(": {message}") };
            for_loss.lose(Error::device(format!("the GPU {lost_name} was lost ({reason:?}{details})")));
        });
        let for_errors = fault.clone();
        let name = name.to_string();
        device.on_uncaptured_error(Arc::new(move |error| for_errors.set(device_error(&name, error))));
        fault
    }

    pub fn set(&self, error: Error) {
        self.lock().get_or_insert(error);
    }

    /// Records the loss of the device. It is the cause of all other errors, including those that were recorded first.
    fn lose(&self, error: Error) {
        *self.lock() = Some(error);
    }

    /// # Errors
    /// The device failed before.
    pub fn check(&self) -> Result<()> {
        match &*self.lock() {
            Some(error) => Err(error.clone()),
            None => Ok(()),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Option<Error>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn device_error(name: &str, error: wgpu::Error) -> Error {
    match error {
        wgpu::Error::OutOfMemory { .. } => {
            Error::memory(format!("the GPU {name} has no memory left; a smaller memory budget makes arrays smaller"))
        }
        other => Error::device(format!("the GPU {name} failed: {other}")),
    }
}
