//! Kernels as large as the memory, and larger: time, peak of memory against the plan, and the time of writing alone.
//!
//! Every run is a process of its own, so that peaks do not mix. The peak includes the program and the samples.
//!
//! - dense: the paper's MLP, K in memory, N from 5,000 to 40,000, alternated three times: how time grows with N.
//! - disk: N = 60,000 to a `.npy` with a budget of 1 GiB, alternated three times with the same bytes written in the same
//!   pattern by the same number of threads without any kernel; both end when the disk has everything.
//! - chunks: MLP-h, N = 20,000, to a `.npy` with 512 MiB, where factors do not fit.
//!
//! `cargo bench -p tangent-kernels-benches --bench large -- [dense] [disk] [chunks] [--folder F]` runs some of them; the disk's runs
//! need 15 GB in the folder (that of temporary files, if none is given). Peaks are measured on Linux only.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::Instant;

use serde_json::{Value, json};
use tangent_kernels::store::NpyFile;
use tangent_kernels::{Batch, Cpu, Error, Result, Session};
use tangent_kernels_benches::machine::{median, product_rate};
use tangent_kernels_benches::mlp::mlp;
use tangent_kernels_benches::{machine, memory};

const DENSE: [usize; 4] = [5000, 10_000, 20_000, 40_000];
const DISK: (usize, u64) = (60_000, 1 << 30);
const CHUNKS: (usize, u64) = (20_000, 512 << 20);
const ROUNDS: usize = 3;

fn main() {
    let words: Vec<String> = std::env::args().skip(1).filter(|word| word != "--bench").collect();
    let done = match words.first().map(String::as_str) {
        Some("run") => one(&words[1..]).map(|result| println!("{result}")),
        _ => all(&words),
    };
    if let Err(error) = done {
        eprintln!("large: {error}");
        std::process::exit(1);
    }
}

/// All requested runs, each in a process of its own.
fn all(words: &[String]) -> Result<()> {
    let folder = words.iter().position(|word| word == "--folder").and_then(|at| words.get(at + 1));
    let folder = folder.map_or_else(std::env::temp_dir, PathBuf::from);
    let parts: Vec<&str> =
        ["dense", "disk", "chunks"].into_iter().filter(|part| words.iter().any(|w| w == part)).collect();
    let is_wanted = |part: &str| parts.is_empty() || parts.contains(&part);
    let rate = product_rate::<f32>();
    println!("f32, {} threads, matrix products {rate:.0} GFLOP/s (4096 cubed)\n", rayon::current_num_threads());
    if is_wanted("dense") {
        dense(rate)?;
    }
    if is_wanted("disk") {
        disk(rate, &folder)?;
    }
    if is_wanted("chunks") {
        chunks(rate, &folder)?;
    }
    Ok(())
}

fn dense(rate: f64) -> Result<()> {
    let mut runs = vec![Vec::new(); DENSE.len()];
    for _ in 0..ROUNDS {
        for (n, runs) in DENSE.iter().zip(&mut runs) {
            runs.push(child(&["mlp", &n.to_string(), "memory"])?);
        }
    }
    println!("MLP, K in memory: the median of {ROUNDS} rounds\n");
    println!("      N  seconds  times the one before  efficiency  peak MB  K MB  beyond 1.1 K, MB  promised MB");
    let mut before = None;
    for (n, runs) in DENSE.iter().zip(&runs) {
        let seconds = median(&mut numbers(runs, "seconds"));
        let (peak, k) = (greatest(runs, "peak"), (n * n * 4) as f64);
        let growth = before.map_or("-".to_string(), |before: f64| format!("{:.2}", seconds / before));
        let efficiency = number(&runs[0], "flops") / seconds / rate / 1e9;
        let promised = number(&runs[0], "promised");
        println!(
            "{n:>7}  {seconds:>7.4}  {growth:>20}  {efficiency:>10.2}  {:>7.0}  {:>4.0}  {:>16.0}  {:>11.0}",
            peak / 1e6,
            k / 1e6,
            (peak - 1.1 * k) / 1e6,
            promised / 1e6
        );
        before = Some(seconds);
    }
    println!();
    Ok(())
}

fn disk(rate: f64, folder: &Path) -> Result<()> {
    let (n, budget) = DISK;
    let (mut ours, mut raw) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let file = Scratch::new(folder, "kernel.npy");
        ours.push(child(&["mlp", &n.to_string(), file.word(), &budget.to_string()])?);
        drop(file);
        let file = Scratch::new(folder, "bytes");
        let [tall, wide] = ["tall", "wide"].map(|side| number(&ours[0], side).to_string());
        raw.push(child(&["write", &n.to_string(), file.word(), &tall, &wide])?);
    }
    let seconds = median(&mut numbers(&ours, "seconds"));
    let disk = median(&mut numbers(&raw, "seconds"));
    let compute = number(&ours[0], "flops") / rate / 1e9;
    println!(
        "MLP, N = {n}, to .npy with a budget of {} MB: {ROUNDS} rounds, alternated with writing the same bytes\n",
        budget / 1_000_000
    );
    println!("kernel   {seconds:.1} s  {:?}", numbers(&ours, "seconds"));
    println!("writing  {disk:.1} s  {:?}", numbers(&raw, "seconds"));
    println!(
        "products at the machine's rate {compute:.1} s; kernel / the larger of both {:.2}",
        seconds / disk.max(compute)
    );
    println!("peak of memory {:.0} MB of {:.0} MB\n", greatest(&ours, "peak") / 1e6, budget as f64 / 1e6);
    Ok(())
}

fn chunks(rate: f64, folder: &Path) -> Result<()> {
    let (n, budget) = CHUNKS;
    let file = Scratch::new(folder, "kernel.npy");
    let run = child(&["mlp-h", &n.to_string(), file.word(), &budget.to_string()])?;
    println!("MLP-h, N = {n}, to .npy with a budget of {:.0} MB\n", budget as f64 / 1e6);
    println!("{}", run["plan"].as_str().unwrap_or_default());
    let (seconds, flops) = (number(&run, "seconds"), number(&run, "flops"));
    println!(
        "{seconds:.1} s; products {:.1} s at the machine's rate; peak of memory {:.0} MB\n",
        flops / rate / 1e9,
        number(&run, "peak") / 1e6
    );
    Ok(())
}

fn number(run: &Value, key: &str) -> f64 {
    run[key].as_f64().unwrap_or(f64::NAN)
}

fn numbers(runs: &[Value], key: &str) -> Vec<f64> {
    runs.iter().map(|run| number(run, key)).collect()
}

fn greatest(runs: &[Value], key: &str) -> f64 {
    numbers(runs, key).into_iter().fold(f64::NAN, f64::max)
}

/// This program again, for one run.
fn child(words: &[&str]) -> Result<Value> {
    let program = std::env::current_exe()?;
    let done = std::process::Command::new(program).arg("run").args(words).output()?;
    let text = String::from_utf8_lossy(&done.stdout);
    serde_json::from_str(&text)
        .map_err(|_| Error::value(format!("{}: {}", words.join(" "), String::from_utf8_lossy(&done.stderr).trim())))
}

/// A file that is removed afterwards, with its journal.
struct Scratch(PathBuf);

impl Scratch {
    fn new(folder: &Path, name: &str) -> Self {
        let folder = folder.join(format!("large-{}", std::process::id()));
        let _ = std::fs::create_dir_all(&folder);
        Scratch(folder.join(name))
    }

    fn word(&self) -> &str {
        self.0.to_str().expect("the name of a temporary folder is text")
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(self.0.parent().expect("it was made in a folder"));
    }
}

/// One run, in the child process.
fn one(words: &[String]) -> Result<Value> {
    let word = |at: usize| words.get(at).map_or("", String::as_str);
    let parsed =
        |at: usize| word(at).parse::<usize>().map_err(|_| Error::value(format!("'{}' is not a number", word(at))));
    match word(0) {
        "write" => write(parsed(1)?, Path::new(word(2)), [parsed(3)?, parsed(4)?]),
        model => kernel(model, parsed(1)?, word(2), if words.len() > 3 { Some(parsed(3)? as u64) } else { None }),
    }
}

fn kernel(model: &str, n: usize, to: &str, budget: Option<u64>) -> Result<Value> {
    let (layers, width) = if model == "mlp-h" { (8, 1000) } else { (4, 100) };
    let model = mlp(layers, width, 1)?;
    let session = Session::new(&model, Cpu::<f32>::new())?;
    let samples = machine::numbers::<f32>(n * width);
    let x = Batch::new(&samples, &[n, width])?;
    let mut ntk = session.ntk().components(false);
    if let Some(bytes) = budget {
        ntk = ntk.memory_budget(bytes);
    }
    let start = Instant::now();
    let plan = if to == "memory" {
        ntk.compute(&x)?.manifest().expect("it was computed").plan.clone()
    } else {
        ntk.fill(&x, &mut NpyFile::new(to))?.plan
    };
    let seconds = start.elapsed().as_secs_f64();
    let threads = rayon::current_num_threads();
    Ok(json!({
        "seconds": seconds,
        "peak": memory::mark(),
        "flops": plan.flops(),
        "promised": budget.map_or(plan.peak_bytes(threads), |bytes| bytes as f64),
        "tall": (plan.tall * plan.block) as u64,
        "wide": (plan.wide * plan.block) as u64,
        "plan": plan.to_string(),
    }))
}

/// Writes the bytes of K(X, X) in f32 as a run does: regions of the upper triangle and their mirror images, by all threads,
/// each row of a region by itself; then waits for the disk.
#[cfg(unix)]
fn write(n: usize, to: &Path, [tall, wide]: [usize; 2]) -> Result<Value> {
    use rayon::prelude::*;
    use std::os::unix::fs::FileExt;
    let start = Instant::now();
    let file = File::create(to)?;
    file.set_len((n * n * 4) as u64)?;
    let bytes = vec![1u8; 4 * tall.max(wide)];
    let put = |rows: std::ops::Range<usize>, cols: std::ops::Range<usize>| {
        rows.into_iter()
            .try_for_each(|row| file.write_all_at(&bytes[..4 * cols.len()], ((row * n + cols.start) * 4) as u64))
    };
    let bands: Vec<_> = (0..n).step_by(tall).map(|row| row..n.min(row + tall)).collect();
    let strips = |band: &std::ops::Range<usize>| {
        let band = band.clone();
        (band.start..n).step_by(wide).map(move |col| (band.clone(), col..n.min(col + wide))).collect::<Vec<_>>()
    };
    let regions: Vec<_> = bands.iter().flat_map(strips).collect();
    regions.into_par_iter().with_max_len(1).try_for_each(|(rows, cols)| {
        put(rows.clone(), cols.clone())?;
        if cols.start >= rows.end { put(cols, rows) } else { Ok(()) }
    })?;
    file.sync_data()?;
    Ok(json!({ "seconds": start.elapsed().as_secs_f64() }))
}

#[cfg(not(unix))]
fn write(_: usize, _: &Path, _: [usize; 2]) -> Result<Value> {
    Err(Error::unsupported("the bare writing is only measured on unix"))
}
