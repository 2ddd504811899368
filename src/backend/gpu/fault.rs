//! What went wrong on a device, told whenever it happens: the next look finds it.

use std::sync::{Arc, Mutex, PoisonError};

use crate::error::{Error, Result};

/// The first fault of a device. One that is lost stays lost.
#[derive(Default)]
pub(super) struct Fault(Mutex<Option<Error>>);

impl Fault {
    /// Watches a device from now on, in the place of the handlers that would panic.
    pub fn watch(device: &wgpu::Device, name: &str) -> Arc<Self> {
        let fault = Arc::new(Fault::default());
        let (for_loss, lost) = (fault.clone(), name.to_string());
        device.set_device_lost_callback(move |reason, message| {
            for_loss.lose(Error::device(format!("{lost} was lost ({reason:?}{})", told(&message))));
        });
        let (for_errors, name) = (fault.clone(), name.to_string());
        device.on_uncaptured_error(Arc::new(move |error: wgpu::Error| {
            for_errors.set(match error {
                wgpu::Error::OutOfMemory { .. } => Error::memory(format!("{name} has no memory left")),
                other => Error::device(format!("{name} failed: {other}")),
            });
        }));
        fault
    }

    pub fn set(&self, error: Error) {
        self.lock().get_or_insert(error);
    }

    /// The loss of the device is what is behind all else that fails, also where that is told first.
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

    fn lock(&self) -> std::sync::MutexGuard<'_, Option<Error>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn told(message: &str) -> String {
    if message.is_empty() { String::new() } else { format!(": {message}") }
}
