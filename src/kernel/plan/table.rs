//! A plan as a table for people.

use std::fmt;

use super::Plan;

/// Formats a number of bytes.
pub(super) fn bytes(count: f64) -> String {
    match count {
        0.0 => "-".into(),
        c if c >= 1e9 => format!("{:.2} GB", c / 1e9),
        c if c >= 1e6 => format!("{:.1} MB", c / 1e6),
        c => format!("{:.1} kB", c / 1e3),
    }
}

fn flops(count: f64) -> String {
    match count {
        0.0 => "-".into(),
        c if c >= 1e12 => format!("{:.2} T", c / 1e12),
        c if c >= 1e9 => format!("{:.2} G", c / 1e9),
        c => format!("{:.2} M", c / 1e6),
    }
}

fn seconds(count: f64) -> String {
    match count {
        0.0 => "-".into(),
        c if c >= 1.0 => format!("{c:.2} s"),
        c if c >= 1e-3 => format!("{:.2} ms", c * 1e3),
        c => format!("{:.1} us", c * 1e6),
    }
}

/// One row per parameter: strategy, flops, bytes in memory, predicted seconds, and the second-best strategy.
impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (n, m) = self.samples;
        let columns = m.map_or(n.to_string(), |m| m.to_string());
        writeln!(f, "kernel of {n} x {columns} samples, {:?}, {}", self.outputs, self.precision)?;
        let names = self.parameters.iter().map(|p| p.name.len()).max().unwrap_or(0).max(14);
        let shapes = self.parameters.iter().map(|p| format!("{:?}", p.shape).len()).max().unwrap_or(0).max(5);
        writeln!(
            f,
            "{:<names$} {:<shapes$} {:>4} {:>6}  {:<14} {:>9} {:>9} {:>10} {:>9}  next best",
            "parameter", "shape", "uses", "t", "strategy", "forming", "Gram", "resident", "time"
        )?;
        for p in &self.parameters {
            let next = match p.alternatives.first() {
                Some((strategy, other)) if p.seconds > 0.0 => {
                    format!("{strategy} ({:.1} times the time)", other / p.seconds)
                }
                Some((strategy, _)) => strategy.to_string(),
                None => String::new(),
            };
            writeln!(
                f,
                "{:<names$} {:<shapes$} {:>4} {:>6}  {:<14} {:>9} {:>9} {:>10} {:>9}  {next}",
                p.name,
                format!("{:?}", p.shape),
                p.uses,
                p.positions,
                p.strategy,
                flops(p.forming_flops),
                flops(p.gram_flops),
                bytes(p.bytes),
                seconds(p.seconds)
            )?;
        }
        let passes = self.forward_flops + self.reverse_flops;
        writeln!(f, "forward and reverse: {}flop, {}", flops(passes), seconds(self.passes_seconds))?;
        writeln!(
            f,
            "total: {}flop, {} on one thread; blocks of {} samples, forward passes over {}",
            flops(self.flops()),
            seconds(self.seconds()),
            self.block,
            self.chunk
        )?;
        if !self.is_resident() {
            writeln!(
                f,
                "factors of {} samples are in memory at a time; every factor is computed {:.1} times on average",
                self.resident,
                self.computed_samples / (n + m.unwrap_or(0)).max(1) as f64
            )?;
        }
        let threads = self.workers();
        write!(
            f,
            "memory with {threads} threads: {} (K {}, parameters {}, factors {}, {} per thread)",
            bytes(self.peak_bytes(threads)),
            bytes(self.result_bytes),
            bytes(self.parameter_bytes),
            bytes(self.resident_bytes),
            bytes(self.thread_bytes)
        )
    }
}
