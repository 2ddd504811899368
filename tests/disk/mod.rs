//! Shared code of the tests of kernels on disk: a kernel, sinks with failures, and processes.
#![allow(dead_code, reason = "no test uses all of it")]

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::atomic::{AtomicUsize, Ordering};

use tangent_kernels::kernel::sink::{Frame, Region, RegionData, Requirements, Sink};
use tangent_kernels::unary::Tanh;
use tangent_kernels::{
    Batch, Cpu, Error, Kernel, Model, Ntk, Outputs, Real, Result, Sequential, Session, ops::Builtin,
};

/// The side of regions. It is small, so there are many of them.
pub const SIDE: usize = 100;

pub fn model(seed: u64) -> Model {
    let mut model = Sequential::standard(&[5]).mlp(&[9, 7, 2], Tanh).build().unwrap();
    model.initialise(seed).unwrap();
    model
}

pub fn numbers<R: Real>(count: usize) -> Vec<R> {
    (0..count).map(|k| R::from_f64(((k * k) as f64 * 0.618_033_988_7).fract() * 2.0 - 1.0)).collect()
}

/// Calls `work` with the kernel of all tests and `samples` samples.
fn with<T>(samples: usize, seed: u64, work: impl FnOnce(Ntk<'_, Cpu<f32>, Builtin>, &Batch<'_, f32>) -> T) -> T {
    let model = model(seed);
    let session = Session::new(&model, Cpu::<f32>::new()).unwrap();
    let x = numbers::<f32>(samples * 5);
    work(session.ntk().outputs(Outputs::Output(1)), &Batch::new(&x, &[samples, 5]).unwrap())
}

/// Fills a sink with a shard of the kernel.
pub fn fill<S: Sink<f32>>(samples: usize, seed: u64, shard: (usize, usize), sink: &mut S) -> Result<()> {
    with(samples, seed, |ntk, x| ntk.shard(shard.0, shard.1).fill(x, sink).map(|_| ()))
}

/// The kernel of seed 3 in memory.
pub fn dense(samples: usize) -> Kernel<f32> {
    with(samples, 3, |ntk, x| ntk.compute(x).unwrap())
}

/// A sink that stops after some regions, with an error or by an abort of the process.
pub struct Stopping<S> {
    inner: S,
    left: AtomicUsize,
    by_abort: bool,
    pub seen: AtomicUsize,
}

impl<S> Stopping<S> {
    pub fn new(inner: S, after: usize, by_abort: bool) -> Self {
        Stopping { inner, left: AtomicUsize::new(after), by_abort, seen: AtomicUsize::new(0) }
    }
}

impl<S: Sink<f32>> Sink<f32> for Stopping<S> {
    fn requirements(&self) -> Requirements {
        self.inner.requirements()
    }
    fn begin(&mut self, frame: &Frame) -> Result<()> {
        self.inner.begin(frame)
    }
    fn has(&self, index: usize) -> bool {
        self.inner.has(index)
    }
    fn put(&self, part: &RegionData<'_, f32>) -> Result<()> {
        if self.left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1)).is_err() {
            if self.by_abort {
                std::process::abort();
            }
            return Err(Error::value("stopped after enough regions"));
        }
        self.seen.fetch_add(1, Ordering::Relaxed);
        self.inner.put(part)
    }
    fn end(&mut self, frame: &Frame) -> Result<()> {
        self.inner.end(frame)
    }
}

/// A sink that calls a function after `begin`.
pub struct AfterBegin<S, F>(pub S, pub F);

impl<S: Sink<f32>, F: Fn(&Frame) + Send + Sync> Sink<f32> for AfterBegin<S, F> {
    fn requirements(&self) -> Requirements {
        self.0.requirements()
    }
    fn begin(&mut self, frame: &Frame) -> Result<()> {
        self.0.begin(frame)?;
        self.1(frame);
        Ok(())
    }
    fn has(&self, index: usize) -> bool {
        self.0.has(index)
    }
    fn put(&self, part: &RegionData<'_, f32>) -> Result<()> {
        self.0.put(part)
    }
    fn end(&mut self, frame: &Frame) -> Result<()> {
        self.0.end(frame)
    }
}

/// A kernel of two samples in one region.
pub fn small_frame() -> Frame {
    Frame {
        matrices: vec!["total".into()],
        blocks: 1,
        rows: 2,
        cols: 2,
        symmetric: true,
        regions: vec![Region { rows: 0..2, cols: 0..2 }],
        shard: 0..1,
        part: (0, 1),
        fingerprint: "{}".into(),
    }
}

pub fn names(folder: &Path) -> Vec<String> {
    let name = |entry: std::io::Result<std::fs::DirEntry>| entry.unwrap().file_name().into_string().unwrap();
    let mut list: Vec<String> = std::fs::read_dir(folder).unwrap().map(name).collect();
    list.sort();
    list
}

/// The job of a child process. The test `child` of the same program reads it from the environment.
pub struct Job {
    pub path: PathBuf,
    pub shard: (usize, usize),
    /// The number of regions after which it dies.
    pub after: usize,
}

impl Job {
    /// The job of this process, if it is a child process.
    pub fn current() -> Option<Self> {
        let path = std::env::var_os("STORE_CHILD")?.into();
        let job = std::env::var("STORE_JOB").unwrap();
        let job: Vec<usize> = job.split(' ').map(|number| number.parse().unwrap()).collect();
        Some(Job { path, shard: (job[0], job[1]), after: job[2] })
    }

    /// Runs the job in a process of its own.
    pub fn run(&self) -> Output {
        self.run_by(Command::new(std::env::current_exe().unwrap()).args(["--exact", "child", "--nocapture"]))
    }

    /// Runs the job with a command that starts the test `child`.
    pub fn run_by(&self, command: &mut Command) -> Output {
        let (i, n) = self.shard;
        let job = format!("{i} {n} {}", self.after);
        command.env("STORE_CHILD", &self.path).env("STORE_JOB", job).output().unwrap()
    }
}

/// Runs a shard in a process of its own. With `dies_after` it dies after this number of regions.
pub fn process(path: &Path, shard: (usize, usize), dies_after: Option<usize>) -> Output {
    Job { path: path.to_owned(), shard, after: dies_after.unwrap_or(usize::MAX) }.run()
}
