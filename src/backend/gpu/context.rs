//! A device, and what was recorded for it and not sent yet.
//!
//! Kernels are recorded one after another and sent together, in submissions that are short: a card that also draws a
//! screen must not be blocked, and some systems reset one that does not answer for two seconds. How much work a
//! submission may hold is found out while running.

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use super::fault::Fault;
use super::gram::Shape;
use super::kernels::{Compiled, Kernel, WORD_BYTES};
use super::memory::{Buffer, Pool, Purpose};
use super::tensor::Storage;
use crate::error::{Error, Result};

/// Words of so many dispatches are sent together.
const DISPATCHES: usize = 256;
/// Workgroups along the first axis of a dispatch: what common.wgsl knows.
const GROUPS_ACROSS: u64 = 32_768;
/// Lists of words that are kept on the device.
const CONSTANTS: usize = 256;
/// Submissions that a device may have before it.
const IN_FLIGHT: usize = 4;
/// A submission is to take about so long.
const AIM: Duration = Duration::from_millis(15);
/// A call that only hands over comes back sooner.
const RETURNS: Duration = Duration::from_micros(200);
/// What a submission may hold at first, and at least, in operations.
const FIRST_WORK: f64 = 2e7;
const LEAST_WORK: f64 = 1e5;

/// A device with all that is needed to run kernels on it.
pub(super) struct Context {
    pub device: wgpu::Device,
    pub name: String,
    pub pool: Arc<Pool>,
    pub fault: Arc<Fault>,
    pub traffic: Traffic,
    /// The fastest shape of tiles, once it is known.
    pub tile_shape: OnceLock<Shape>,
    /// What tiles are written to, once it is known.
    pub tiles_are: OnceLock<Purpose>,
    /// Lists of records that were sent before, by what is in them.
    records: Mutex<HashMap<Vec<u32>, Arc<Buffer>>>,
    queue: wgpu::Queue,
    compiled: Compiled,
    words: wgpu::Buffer,
    recorder: Mutex<Recorder>,
    /// How many microseconds are waited for a submission until the device is given up.
    timeout: AtomicU64,
}

/// What went to and from a device.
#[derive(Default)]
pub(super) struct Traffic {
    pub up: AtomicU64,
    pub down: AtomicU64,
    pub dispatches: AtomicU64,
    pub submissions: AtomicU64,
    /// Of the submissions that were waited for.
    pub longest_micros: AtomicU64,
}

#[derive(Default)]
struct Recorder {
    encoder: Option<wgpu::CommandEncoder>,
    pass: Option<wgpu::ComputePass<'static>>,
    /// The words of what was recorded.
    words: Vec<u32>,
    /// Operations that were recorded.
    work: f64,
    /// Operations that a submission may have.
    most: f64,
    in_flight: VecDeque<Sent>,
    /// When the device was last known to be done with a submission.
    done: Option<Instant>,
}

struct Sent {
    index: wgpu::SubmissionIndex,
    at: Instant,
    work: f64,
}

/// A run of a kernel.
pub(super) struct Run<'a> {
    pub kernel: &'a Kernel,
    pub inputs: &'a [&'a Buffer],
    pub output: &'a Buffer,
    /// From word 3 on.
    pub words: &'a [u32],
    pub groups: usize,
    /// Operations of a workgroup, about.
    pub work: f64,
}

impl Context {
    pub fn new(device: wgpu::Device, queue: wgpu::Queue, name: String, timeout: Duration) -> Self {
        let fault = Fault::watch(&device, &name);
        let words = device.create_buffer(&wgpu::BufferDescriptor {
            label: Some("words"),
            size: DISPATCHES as u64 * WORD_BYTES,
            usage: wgpu::BufferUsages::UNIFORM | wgpu::BufferUsages::COPY_DST,
            mapped_at_creation: false,
        });
        let recorder = Mutex::new(Recorder { most: FIRST_WORK, ..Recorder::default() });
        Context {
            pool: Pool::new(device.clone(), &name, fault.clone()),
            compiled: Compiled::new(device.clone()),
            traffic: Traffic::default(),
            tile_shape: OnceLock::new(),
            tiles_are: OnceLock::new(),
            records: Mutex::default(),
            device,
            name,
            fault,
            queue,
            words,
            recorder,
            timeout: AtomicU64::new(micros(timeout)),
        }
    }

    pub fn set_timeout(&self, timeout: Duration) {
        self.timeout.store(micros(timeout), Ordering::Relaxed);
    }

    fn timeout(&self) -> Duration {
        Duration::from_micros(self.timeout.load(Ordering::Relaxed))
    }

    /// Can the host read arrays where kernels write them?
    pub fn can_map_arrays(&self) -> bool {
        self.device.features().contains(wgpu::Features::MAPPABLE_PRIMARY_BUFFERS)
    }

    /// Is the device a program on the CPU?
    pub fn is_software(&self) -> bool {
        self.device.adapter_info().device_type == wgpu::DeviceType::Cpu
    }

    /// Records a run, in as many dispatches as keep submissions short.
    pub fn run(&self, run: &Run<'_>) {
        let pipeline = self.compiled.get(run.kernel);
        let words = wgpu::BindingResource::Buffer(wgpu::BufferBinding {
            buffer: &self.words,
            offset: 0,
            size: std::num::NonZeroU64::new(WORD_BYTES),
        });
        let buffers = run.inputs.iter().copied().chain([run.output]).map(|buffer| buffer.as_entire_binding());
        let resources = std::iter::once(words).chain(buffers).enumerate();
        let entries: Vec<_> =
            resources.map(|(binding, resource)| wgpu::BindGroupEntry { binding: binding as u32, resource }).collect();
        let bindings = self.device.create_bind_group(&wgpu::BindGroupDescriptor {
            label: None,
            layout: &pipeline.layout,
            entries: &entries,
        });
        let mut recorder = self.recorder();
        let mut first = 0;
        while first < run.groups as u64 {
            if recorder.work >= recorder.most || recorder.words.len() as u64 * 4 >= DISPATCHES as u64 * WORD_BYTES {
                self.submit(&mut recorder);
            }
            let room = ((recorder.most - recorder.work) / run.work.max(1.0)) as u64;
            let count = room.clamp(1, run.groups as u64 - first);
            let end = first + count;
            let offset = recorder.words.len() * 4;
            recorder.words.extend([0, first as u32, end as u32]);
            recorder.words.extend(run.words);
            let slot = offset / 4 + WORD_BYTES as usize / 4;
            debug_assert!(recorder.words.len() <= slot, "too many words for {}", run.kernel.entry);
            recorder.words.resize(slot, 0);
            let pass = recorder.pass(&self.device);
            pass.set_pipeline(&pipeline.pipeline);
            pass.set_bind_group(0, &bindings, &[offset as u32]);
            let across = count.min(GROUPS_ACROSS);
            pass.dispatch_workgroups(across as u32, count.div_ceil(across) as u32, 1);
            recorder.work += count as f64 * run.work;
            self.traffic.dispatches.fetch_add(1, Ordering::Relaxed);
            first = end;
        }
    }

    /// A buffer with these bytes.
    ///
    /// # Errors
    /// The device has no memory left, or failed.
    pub fn upload(&self, bytes: &[u8]) -> Result<Buffer> {
        let buffer = self.pool.take(Purpose::Array, bytes.len() as u64)?;
        // What is written comes before all that is recorded, and the buffer may be in use there under another name.
        let mut recorder = self.recorder();
        self.submit(&mut recorder);
        self.queue.write_buffer(&buffer, 0, bytes);
        self.traffic.up.fetch_add(bytes.len() as u64, Ordering::Relaxed);
        Ok(buffer)
    }

    /// A buffer with these words, which is never written again.
    ///
    /// # Errors
    /// As [`upload`](Context::upload).
    pub fn constant(&self, words: &[u32]) -> Result<Arc<Buffer>> {
        let mut records = self.records.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(found) = records.get(words) {
            return Ok(found.clone());
        }
        let made = Arc::new(self.upload(bytemuck::cast_slice(words))?);
        if records.len() == CONSTANTS {
            records.clear();
        }
        records.insert(words.to_vec(), made.clone());
        Ok(made)
    }

    /// Sets all bytes of a buffer to zero.
    pub fn clear(&self, buffer: &Buffer) {
        self.recorder().encoder(&self.device).clear_buffer(buffer, 0, None);
    }

    /// Hands the first `bytes` bytes of a buffer to `read`.
    ///
    /// # Errors
    /// The device failed at any step before, was lost, or does not answer.
    pub fn read<T>(&self, buffer: &Buffer, bytes: u64, read: impl FnOnce(&[u8]) -> T) -> Result<T> {
        self.check()?;
        let copy = match buffer.purpose() {
            Purpose::Mapped => None,
            _ => Some(self.pool.take(Purpose::Reading, bytes)?),
        };
        let index = {
            let mut recorder = self.recorder();
            if let Some(copy) = &copy {
                recorder.encoder(&self.device).copy_buffer_to_buffer(buffer, 0, copy, 0, bytes);
            }
            self.submit(&mut recorder)
        };
        let there = copy.as_ref().unwrap_or(buffer);
        let result = self.mapped(there, bytes, index, read);
        there.unmap();
        if result.is_ok() {
            self.traffic.down.fetch_add(bytes, Ordering::Relaxed);
        }
        result
    }

    fn mapped<T>(
        &self,
        staging: &Buffer,
        bytes: u64,
        index: Option<wgpu::SubmissionIndex>,
        read: impl FnOnce(&[u8]) -> T,
    ) -> Result<T> {
        let slice = staging.slice(..bytes);
        let (answer, answered) = std::sync::mpsc::channel();
        // Nobody may be there any more to be told.
        slice.map_async(wgpu::MapMode::Read, move |result| _ = answer.send(result));
        self.wait(index)?;
        // Another thread may have waited for the same, and be about to tell.
        let answer = answered.recv_timeout(self.timeout());
        self.check()?;
        // A device that is lost says that all is done, and maps nothing.
        if !matches!(answer, Ok(Ok(()))) {
            return Err(self.failed("could not be read from"));
        }
        match slice.get_mapped_range() {
            Ok(view) => Ok(read(&view)),
            Err(error) => Err(self.failed(&format!("could not be read from: {error}"))),
        }
    }

    /// Waits until all that was recorded is done.
    ///
    /// # Errors
    /// The device failed, was lost, or does not answer.
    pub fn finish(&self) -> Result<()> {
        self.submit(&mut self.recorder());
        // What was written and not sent with anything goes with nothing.
        self.wait(Some(self.queue.submit([])))?;
        self.check()
    }

    /// # Errors
    /// The device failed before; if it is lost, that is what is told.
    fn check(&self) -> Result<()> {
        self.fault.check().or_else(|_| {
            // A loss is only told when the device is asked.
            let _ = self.device.poll(wgpu::PollType::Poll);
            self.fault.check()
        })
    }

    fn failed(&self, how: &str) -> Error {
        Error::device(format!("{} {how}", self.name))
    }

    fn wait(&self, index: Option<wgpu::SubmissionIndex>) -> Result<()> {
        let Some(index) = index else { return Ok(()) };
        let timeout = self.timeout();
        match self.device.poll(wgpu::PollType::Wait { submission_index: Some(index), timeout: Some(timeout) }) {
            Ok(_) => Ok(()),
            Err(wgpu::PollError::Timeout) => {
                let error = self.failed(&format!("did not answer within {timeout:?}: it hangs, or is far too busy"));
                self.fault.set(error.clone());
                Err(error)
            }
            Err(error) => {
                self.fault.set(self.failed(&format!("could not be waited for: {error}")));
                self.check()
            }
        }
    }

    /// Sends what was recorded; tells by which number it, or the last before it, is known.
    fn submit(&self, recorder: &mut Recorder) -> Option<wgpu::SubmissionIndex> {
        recorder.pass = None;
        let Some(encoder) = recorder.encoder.take() else {
            return recorder.in_flight.back().map(|sent| sent.index.clone());
        };
        if !recorder.words.is_empty() {
            self.queue.write_buffer(&self.words, 0, bytemuck::cast_slice(&recorder.words));
            recorder.words.clear();
        }
        let at = Instant::now();
        let index = self.queue.submit([encoder.finish()]);
        self.traffic.submissions.fetch_add(1, Ordering::Relaxed);
        let work = std::mem::take(&mut recorder.work);
        if at.elapsed() > RETURNS {
            // Some drivers of software come back when all is done.
            self.learn(recorder, at.elapsed(), work);
        }
        recorder.in_flight.push_back(Sent { index: index.clone(), at, work });
        while recorder.in_flight.len() > IN_FLIGHT {
            self.await_oldest(recorder);
        }
        Some(index)
    }

    /// Waits for the oldest submission.
    fn await_oldest(&self, recorder: &mut Recorder) {
        let Some(sent) = recorder.in_flight.pop_front() else { return };
        let before = Instant::now();
        if self.wait(Some(sent.index)).is_err() {
            return; // the next look at the fault finds it
        }
        let now = Instant::now();
        // Only if it had to be waited for is it known when it was done.
        if let (true, Some(done)) = (now - before > RETURNS, recorder.done) {
            self.learn(recorder, now - done.max(sent.at), sent.work);
        }
        recorder.done = Some(now);
    }

    /// So much work took so long: what the next submissions may hold.
    fn learn(&self, recorder: &mut Recorder, took: Duration, work: f64) {
        self.traffic.longest_micros.fetch_max(took.as_micros() as u64, Ordering::Relaxed);
        let ratio = (AIM.as_secs_f64() / took.as_secs_f64()).clamp(0.25, 1.5);
        if ratio < 1.0 || work > 0.5 * recorder.most {
            recorder.most = (recorder.most * ratio).max(LEAST_WORK);
        }
    }

    fn recorder(&self) -> MutexGuard<'_, Recorder> {
        self.recorder.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Recorder {
    fn encoder(&mut self, device: &wgpu::Device) -> &mut wgpu::CommandEncoder {
        self.pass = None;
        self.encoder.get_or_insert_with(|| device.create_command_encoder(&wgpu::CommandEncoderDescriptor::default()))
    }

    fn pass(&mut self, device: &wgpu::Device) -> &mut wgpu::ComputePass<'static> {
        let encoder = &mut self.encoder;
        self.pass.get_or_insert_with(|| {
            let encoder = encoder
                .get_or_insert_with(|| device.create_command_encoder(&wgpu::CommandEncoderDescriptor::default()));
            encoder.begin_compute_pass(&wgpu::ComputePassDescriptor::default()).forget_lifetime()
        })
    }
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

/// The buffer of a storage, or the error that it is poisoned with.
pub(super) fn buffer(storage: &Storage) -> Result<&Buffer> {
    match storage {
        Ok(buffer) => Ok(buffer),
        Err(error) => Err(error.clone()),
    }
}
