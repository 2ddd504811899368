//! How fast arrays go to a device and come back.

use std::time::Instant;

use tangent_kernels::backend::Arrays;
use tangent_kernels::{Device, Result};

use crate::machine::{median, numbers};
use crate::ruler::wait;

/// Numbers of the array that is sent and read.
const ENTRIES: usize = 8 << 20;

/// What a device was measured to need for transfers.
pub struct Link {
    /// Bytes per second to the device.
    pub up: f64,
    /// The same for reading.
    pub down: f64,
    /// Seconds until one number is read of an array that is there.
    pub round_trip: f64,
}

impl Link {
    /// Sends an array of 32 MB and reads it, five times each: medians. Whether it is there is seen by reading a number of
    /// it, whose own time is taken off.
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
        // Nothing is faster than a nanosecond: the clock's own step may be as long as all of it.
        let rate = |seconds: f64| bytes / (seconds - round_trip).max(1e-9);
        Ok(Link { up: rate(up), down: rate(down), round_trip })
    }

    /// Seconds that these bytes take, to the device and back.
    pub fn seconds(&self, [up, down]: [f64; 2]) -> f64 {
        up / self.up + down / self.down
    }
}
