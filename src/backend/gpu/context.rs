//! A device, its queue, and the commands that are recorded but not submitted yet.
//!
//! Kernels are recorded one after another and submitted together. Submissions are short: a GPU that also draws a screen
//! must not be blocked, and some systems reset a GPU that does not answer for two seconds. The work per submission is
//! adjusted to the measured times.

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use super::fault::Fault;
use super::gram::Shape;
use super::kernels::{Compiled, Kernel, PARAM_BYTES};
use super::memory::{Buffer, DevicePool, Purpose};
use super::tensor::Allocation;
use crate::error::{Error, Result};

/// The number of dispatches whose params fit the uniform buffer.
const DISPATCHES: usize = 256;
/// The number of workgroups along the first axis of a dispatch, as in common.wgsl.
const GROUPS_ACROSS: u64 = 32_768;
/// The number of lists of records that are kept on the device.
const CONSTANTS: usize = 256;
/// The largest number of unfinished submissions.
const IN_FLIGHT: usize = 4;
/// The target time of a submission.
const AIM: Duration = Duration::from_millis(15);
/// A call that does not wait for the device returns sooner than this.
const RETURNS: Duration = Duration::from_micros(200);
/// The first and the smallest limit of a submission's work, in operations.
const FIRST_WORK: f64 = 2e7;
const LEAST_WORK: f64 = 1e5;

/// A device and all state that is needed to run kernels on it.
pub(super) struct Context {
    pub device: wgpu::Device,
    pub name: String,
    pub pool: Arc<DevicePool>,
    pub fault: Arc<Fault>,
    pub traffic: Traffic,
    /// The fastest tile shape, once it was measured.
    pub tile_shape: OnceLock<Shape>,
    /// The kind of buffer for tiles, once it was measured.
    pub tile_purpose: OnceLock<Purpose>,
    /// Uploaded lists of records, by their contents.
    records: Mutex<HashMap<Vec<u32>, Arc<Buffer>>>,
    queue: wgpu::Queue,
    compiled: Compiled,
    params: wgpu::Buffer,
    recorder: Mutex<Recorder>,
    /// The timeout of a submission in microseconds.
    timeout: AtomicU64,
}

/// The transfers and submissions of a device.
#[derive(Default)]
pub(super) struct Traffic {
    pub up: AtomicU64,
    pub down: AtomicU64,
    pub dispatches: AtomicU64,
    pub submissions: AtomicU64,
    /// Among the submissions that were waited for.
    pub longest_micros: AtomicU64,
}

#[derive(Default)]
struct Recorder {
    encoder: Option<wgpu::CommandEncoder>,
    pass: Option<wgpu::ComputePass<'static>>,
    /// The params of the recorded dispatches.
    params: Vec<u32>,
    /// The recorded operations.
    work: f64,
    /// The largest number of operations of a submission.
    limit: f64,
    in_flight: VecDeque<Submission>,
    /// The last known end of a submission.
    done: Option<Instant>,
}

struct Submission {
    index: wgpu::SubmissionIndex,
    start: Instant,
    work: f64,
}

/// A run of a kernel.
pub(super) struct Run<'a> {
    pub kernel: &'a Kernel,
    pub inputs: &'a [&'a Buffer],
    pub output: &'a Buffer,
    /// From param 3 on.
    pub params: &'a [u32],
    pub groups: usize,
    /// The approximate number of operations of a workgroup.
    pub work: f64,
}

impl Context {
    pub fn new(device: wgpu::Device, queue: wgpu::Queue, name: String, timeout: Duration) -> Self {
        let fault = Fault::watch(&device, &name);
        let params = device.create_buffer(&wgpu::BufferDescriptor {
            label: Some("params"),
            size: DISPATCHES as u64 * PARAM_BYTES,
            usage: wgpu::BufferUsages::UNIFORM | wgpu::BufferUsages::COPY_DST,
            mapped_at_creation: false,
        });
        let recorder = Mutex::new(Recorder { limit: FIRST_WORK, ..Recorder::default() });
        Context {
            pool: DevicePool::new(device.clone(), &name, fault.clone()),
            compiled: Compiled::new(device.clone()),
            traffic: Traffic::default(),
            tile_shape: OnceLock::new(),
            tile_purpose: OnceLock::new(),
            records: Mutex::default(),
            device,
            name,
            fault,
            queue,
            params,
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

    /// True if the host can read arrays in the buffers that kernels write.
    pub fn can_map_arrays(&self) -> bool {
        self.device.features().contains(wgpu::Features::MAPPABLE_PRIMARY_BUFFERS)
    }

    /// True if the device is a software driver that runs on the CPU.
    pub fn is_software(&self) -> bool {
        self.device.adapter_info().device_type == wgpu::DeviceType::Cpu
    }

    /// Records a run, split into dispatches so that submissions stay short.
    pub fn run(&self, run: &Run<'_>) {
        let pipeline = self.compiled.get(run.kernel);
        let params = wgpu::BindingResource::Buffer(wgpu::BufferBinding {
            buffer: &self.params,
            offset: 0,
            size: std::num::NonZeroU64::new(PARAM_BYTES),
        });
        let buffers = run.inputs.iter().copied().chain([run.output]).map(|buffer| buffer.as_entire_binding());
        let resources = std::iter::once(params).chain(buffers).enumerate();
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
            if recorder.work >= recorder.limit || recorder.params.len() as u64 * 4 >= DISPATCHES as u64 * PARAM_BYTES {
                self.submit(&mut recorder);
            }
            let room = ((recorder.limit - recorder.work) / run.work.max(1.0)) as u64;
            let count = room.clamp(1, run.groups as u64 - first);
            let end = first + count;
            let offset = recorder.params.len() * 4;
            recorder.params.extend([0, first as u32, end as u32]);
            recorder.params.extend(run.params);
            let slot = offset / 4 + PARAM_BYTES as usize / 4;
            debug_assert!(recorder.params.len() <= slot, "too many params for {}", run.kernel.entry);
            recorder.params.resize(slot, 0);
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
        // The queue writes the buffer before it runs recorded commands, and these may still use the buffer for an
        // earlier array. So they are submitted first.
        let mut recorder = self.recorder();
        self.submit(&mut recorder);
        self.queue.write_buffer(&buffer, 0, bytes);
        self.traffic.up.fetch_add(bytes.len() as u64, Ordering::Relaxed);
        Ok(buffer)
    }

    /// A buffer with these numbers, which is never written again.
    ///
    /// # Errors
    /// As [`upload`](Context::upload).
    pub fn constant(&self, numbers: &[u32]) -> Result<Arc<Buffer>> {
        let mut records = self.records.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(found) = records.get(numbers) {
            return Ok(found.clone());
        }
        let buffer = Arc::new(self.upload(bytemuck::cast_slice(numbers))?);
        if records.len() == CONSTANTS {
            records.clear();
        }
        records.insert(numbers.to_vec(), buffer.clone());
        Ok(buffer)
    }

    /// Sets all bytes of a buffer to zero.
    pub fn clear(&self, buffer: &Buffer) {
        self.recorder().encoder(&self.device).clear_buffer(buffer, 0, None);
    }

    /// Calls `read` with the first `bytes` bytes of a buffer.
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
        let staging = copy.as_ref().unwrap_or(buffer);
        let result = self.read_mapped(staging, bytes, index, read);
        staging.unmap();
        if result.is_ok() {
            self.traffic.down.fetch_add(bytes, Ordering::Relaxed);
        }
        result
    }

    fn read_mapped<T>(
        &self,
        staging: &Buffer,
        bytes: u64,
        index: Option<wgpu::SubmissionIndex>,
        read: impl FnOnce(&[u8]) -> T,
    ) -> Result<T> {
        let slice = staging.slice(..bytes);
        let (answer, answered) = std::sync::mpsc::channel();
        // The receiver may have been dropped after an error.
        slice.map_async(wgpu::MapMode::Read, move |result| _ = answer.send(result));
        self.wait(index)?;
        // Another thread may have waited for the same submission, and its callback may still be running.
        let answer = answered.recv_timeout(self.timeout());
        self.check()?;
        // A lost device reports that all work is done, but maps nothing.
        if !matches!(answer, Ok(Ok(()))) {
            return Err(self.error("reading an array failed"));
        }
        match slice.get_mapped_range() {
            Ok(view) => Ok(read(&view)),
            Err(error) => Err(self.error(&format!("reading an array failed: {error}"))),
        }
    }

    /// Waits until all recorded work is done.
    ///
    /// # Errors
    /// The device failed, was lost, or does not answer.
    pub fn finish(&self) -> Result<()> {
        self.submit(&mut self.recorder());
        // An empty submission sends uploads that were not followed by commands.
        self.wait(Some(self.queue.submit([])))?;
        self.check()
    }

    /// # Errors
    /// The device failed before. The loss of the device takes precedence over other errors.
    fn check(&self) -> Result<()> {
        self.fault.check().or_else(|_| {
            // The loss of a device is reported only when the device is polled.
            let _ = self.device.poll(wgpu::PollType::Poll);
            self.fault.check()
        })
    }

    fn error(&self, cause: &str) -> Error {
        Error::device(format!("the GPU {}: {cause}", self.name))
    }

    fn wait(&self, index: Option<wgpu::SubmissionIndex>) -> Result<()> {
        let Some(index) = index else { return Ok(()) };
        let timeout = self.timeout();
        match self.device.poll(wgpu::PollType::Wait { submission_index: Some(index), timeout: Some(timeout) }) {
            Ok(_) => Ok(()),
            Err(wgpu::PollError::Timeout) => {
                let error =
                    self.error(&format!("the device did not answer within {timeout:?}: it hangs or is overloaded"));
                self.fault.set(error.clone());
                Err(error)
            }
            Err(error) => {
                self.fault.set(self.error(&format!("waiting for the device failed: {error}")));
                self.check()
            }
        }
    }

    /// Submits the recorded commands. Returns the index of this submission, or of the last one if nothing was recorded.
    fn submit(&self, recorder: &mut Recorder) -> Option<wgpu::SubmissionIndex> {
        recorder.pass = None;
        let Some(encoder) = recorder.encoder.take() else {
            return recorder.in_flight.back().map(|submission| submission.index.clone());
        };
        if !recorder.params.is_empty() {
            self.queue.write_buffer(&self.params, 0, bytemuck::cast_slice(&recorder.params));
            recorder.params.clear();
        }
        let start = Instant::now();
        let index = self.queue.submit([encoder.finish()]);
        self.traffic.submissions.fetch_add(1, Ordering::Relaxed);
        let work = std::mem::take(&mut recorder.work);
        if start.elapsed() > RETURNS {
            // Some software drivers return only when all work is done.
            self.adjust_limit(recorder, start.elapsed(), work);
        }
        recorder.in_flight.push_back(Submission { index: index.clone(), start, work });
        while recorder.in_flight.len() > IN_FLIGHT {
            self.await_oldest(recorder);
        }
        Some(index)
    }

    /// Waits for the oldest submission.
    fn await_oldest(&self, recorder: &mut Recorder) {
        let Some(submission) = recorder.in_flight.pop_front() else { return };
        let before = Instant::now();
        if self.wait(Some(submission.index)).is_err() {
            return; // the next check of the fault returns the error
        }
        let now = Instant::now();
        // The end of the submission is known only if the call had to wait.
        if let (true, Some(done)) = (now - before > RETURNS, recorder.done) {
            self.adjust_limit(recorder, now - done.max(submission.start), submission.work);
        }
        recorder.done = Some(now);
    }

    /// Adjusts the limit of submissions, given that one with `work` took `time`.
    fn adjust_limit(&self, recorder: &mut Recorder, time: Duration, work: f64) {
        self.traffic.longest_micros.fetch_max(time.as_micros() as u64, Ordering::Relaxed);
        let ratio = (AIM.as_secs_f64() / time.as_secs_f64()).clamp(0.25, 1.5);
        if ratio < 1.0 || work > 0.5 * recorder.limit {
            recorder.limit = (recorder.limit * ratio).max(LEAST_WORK);
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

/// The buffer of an array, or the error that the array carries.
pub(super) fn buffer(allocation: &Allocation) -> Result<&Buffer> {
    match allocation {
        Ok(buffer) => Ok(buffer),
        Err(error) => Err(error.clone()),
    }
}
