//! The rates of transfers to and from a device.

use std::time::Instant;

use tangent_kernels::ops::Storage;
use tangent_kernels::{Device, Result};

use crate::machine::{median, numbers};
use crate::ruler::wait;

/// The length of the array.
const ENTRIES: usize = 8 << 20;

/// Measured rates of transfers.
pub struct Link {
    /// Bytes per second to the device.
    pub up: f64,
    /// The same for reading.
    pub down: f64,
    /// Seconds to read one number of an array on the device.
    pub round_trip: f64,
}

impl Link {
    /// Sends an array of 32 MB and reads it, five times each: medians. An upload is complete once a number of it can be
    /// read; the time of that read is subtracted.
    ///
    /// # Errors
    /// The device failed.
    pub fn measure(device: &Device) -> Result<Self> {
        let numbers = numbers::<f32>(ENTRIES);
        let mut times = [Vec::new(), Vec::new(), Vec::new()];
        for _ in 0..5 {
            let start = Instant::now();
            let x = device.upload(&numbers, &[ENTRIES]);
            wait(device, &x)?;
            times[0].push(start.elapsed().as_secs_f64());
            let start = Instant::now();
            wait(device, &x)?;
            times[1].push(start.elapsed().as_secs_f64());
            let start = Instant::now();
            device.read(&x)?;
            times[2].push(start.elapsed().as_secs_f64());
        }
        let [up, round_trip, down] = times.map(|mut times| median(&mut times));
        let bytes = (4 * ENTRIES) as f64;
        // At least a nanosecond: the step of the clock can be longer than the measurement.
        let rate = |seconds: f64| bytes / (seconds - round_trip).max(1e-9);
        Ok(Link { up: rate(up), down: rate(down), round_trip })
    }

    /// Seconds for these bytes, to the device and back.
    pub fn seconds(&self, [up, down]: [f64; 2]) -> f64 {
        up / self.up + down / self.down
    }
}
