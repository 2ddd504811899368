//! The results, as text and as JSON.

use serde_json::{Value, json};
use tangent_kernels::Gram;
use tangent_kernels::extend::gpu::{Adapter, TileShape, Traffic};
use tangent_kernels::{Device, Gpu};

use crate::cases::{Measured, Timed};
use crate::peaks;
use crate::table::{significant, table};
use crate::transfers::Link;

pub struct Report {
    /// The names of all devices.
    name: String,
    /// The adapter of the first device.
    adapter: Option<Adapter>,
    tile_shape: TileShape,
    link: Link,
    traffic: Traffic,
    /// In FLOP/s.
    peak: Option<f64>,
    measured: Vec<Measured>,
}

impl Report {
    /// `peak` is the caller's figure; some GPUs have a known one.
    pub fn new(
        device: &Device,
        gpu: &Gpu,
        tile_shape: TileShape,
        link: Link,
        peak: Option<f64>,
        measured: Vec<Measured>,
    ) -> Self {
        let name = device.name();
        Report {
            adapter: Adapter::all().into_iter().find(|adapter| adapter.name() == gpu.name()),
            tile_shape,
            link,
            traffic: gpu.traffic(),
            // The table has no sums of several GPUs.
            peak: peak.or_else(|| peaks::known(&name).filter(|_| name == gpu.name())),
            name,
            measured,
        }
    }

    /// True if every case was done.
    pub fn is_complete(&self) -> bool {
        self.measured.iter().all(|measured| measured.device.is_ok())
    }

    /// The part of a kernel's time that transfers would take; products are timed without them.
    fn transfers(&self, measured: &Measured, timed: Timed) -> Option<f64> {
        measured.case.is_kernel().then(|| self.link.seconds(timed.bytes) / timed.seconds)
    }

    fn case(&self, measured: &Measured) -> Value {
        let timed = measured.device.as_ref().ok().copied();
        let rate = timed.map(|timed| measured.flops / timed.seconds);
        let bytes = timed.filter(|_| measured.case.is_kernel()).map(|timed| timed.bytes);
        json!({
            "case": measured.case.to_string(),
            "flops": measured.flops,
            "cpu_seconds": measured.cpu,
            "cpu_tflops": measured.flops / measured.cpu / 1e12,
            "device_seconds": timed.map(|timed| timed.seconds),
            "device_tflops": rate.map(|rate| rate / 1e12),
            "fraction_of_peak": rate.zip(self.peak).map(|(rate, peak)| rate / peak),
            "bytes_up": bytes.map(|bytes| bytes[0]),
            "bytes_down": bytes.map(|bytes| bytes[1]),
            "transfers": timed.and_then(|timed| self.transfers(measured, timed)),
            "error": measured.device.as_ref().err().map(ToString::to_string),
        })
    }

    pub fn json(&self) -> Value {
        json!({
            "device": self.name,
            "kind": self.adapter.as_ref().map(Adapter::kind),
            "driver": self.adapter.as_ref().map(Adapter::driver),
            "precision": "f32",
            "threads": rayon::current_num_threads(),
            "tile_shape": self.tile_shape.to_string(),
            "peak_tflops": self.peak.map(|peak| peak / 1e12),
            "upload_bytes_per_second": self.link.up,
            "read_bytes_per_second": self.link.down,
            "round_trip_seconds": self.link.round_trip,
            "longest_submission_seconds": self.traffic.longest.as_secs_f64(),
            "submissions": self.traffic.submissions,
            "dispatches": self.traffic.dispatches,
            "cases": self.measured.iter().map(|measured| self.case(measured)).collect::<Vec<_>>(),
        })
    }

    pub fn print(&self) {
        let head =
            ["", "CPU s", "device s", "CPU TFLOP/s", "device TFLOP/s", "of the peak", "MB up", "MB down", "transfers"];
        let mut rows = vec![head.map(str::to_string).to_vec()];
        rows.extend(self.measured.iter().map(|measured| self.row(measured)));
        print!("{}", table(&rows, &[true]));
        for measured in &self.measured {
            if let Err(error) = &measured.device {
                println!("{}: {error}", measured.case);
            }
        }
        let Link { up, down, round_trip } = self.link;
        println!("\ntiles of K: {}", self.tile_shape);
        println!(
            "upload {} GB/s, reading {} GB/s, of 32 MB; a round trip {} ms",
            significant(up / 1e9),
            significant(down / 1e9),
            significant(1e3 * round_trip)
        );
        let Traffic { submissions, longest, .. } = self.traffic;
        println!("{submissions} submissions, the longest {} ms", significant(1e3 * longest.as_secs_f64()));
        if let Some(peak) = self.peak {
            println!("peak {} TFLOP/s in f32", significant(peak / 1e12));
        }
        let first = self.adapter.as_ref().map(|adapter| format!(" ({}, {})", adapter.kind(), adapter.driver()));
        let threads = rayon::current_num_threads();
        println!("run on {}{}, compared with a CPU with {threads} threads, f32", self.name, first.unwrap_or_default());
    }

    fn row(&self, measured: &Measured) -> Vec<String> {
        let Measured { case, flops, cpu, device } = measured;
        let timed = device.as_ref().ok().copied();
        let of = |word: Option<f64>| word.map_or("-".to_string(), significant);
        let percent =
            |part: Option<f64>| part.map_or("-".to_string(), |part| format!("{} %", significant(100.0 * part)));
        let rate = timed.map(|timed| flops / timed.seconds);
        let bytes = timed.filter(|_| case.is_kernel()).map(|timed| timed.bytes.map(|bytes| bytes / 1e6));
        vec![
            case.to_string(),
            significant(*cpu),
            of(timed.map(|timed| timed.seconds)),
            significant(flops / cpu / 1e12),
            of(rate.map(|rate| rate / 1e12)),
            percent(rate.zip(self.peak).map(|(rate, peak)| rate / peak)),
            of(bytes.map(|bytes| bytes[0])),
            of(bytes.map(|bytes| bytes[1])),
            percent(timed.and_then(|timed| self.transfers(measured, timed))),
        ]
    }
}
