//! The schedule: regions of any size, resident or repeated factors, shards and budgets give the same bits.
#![cfg(feature = "rand")]

use std::ops::ControlFlow;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use tangent_kernels::kernel::sink::{Frame, Packed, RegionData, Requirements, Sink};
use tangent_kernels::unary::Tanh;
use tangent_kernels::{Batch, Cpu, Error, Method, Model, Outputs, Real, Result, Sequential, Session};

/// A sink as a user might write it. It stores K's matrices entry by entry and checks that each entry arrives once.
struct UserSink<R> {
    side: usize,
    cells: Mutex<Vec<Option<R>>>,
    frame: Option<Frame>,
}

impl<R: Real> UserSink<R> {
    fn new(side: usize) -> Self {
        UserSink { side, cells: Mutex::new(Vec::new()), frame: None }
    }

    /// The entries `[matrices, blocks, rows, cols]`. All must have arrived.
    fn into_entries(self) -> Vec<R> {
        self.cells.into_inner().unwrap().into_iter().map(|cell| cell.expect("an entry is missing")).collect()
    }
}

impl<R: Real> Sink<R> for UserSink<R> {
    fn requirements(&self) -> Requirements {
        Requirements { side: self.side, shards: true, fingerprint: true, ..Requirements::default() }
    }

    fn begin(&mut self, frame: &Frame) -> Result<()> {
        let entries = frame.matrices.len() * frame.blocks * frame.rows * frame.cols;
        self.cells.get_mut().unwrap().resize(entries, None);
        if let Some(before) = &self.frame {
            assert_eq!(before.fingerprint, frame.fingerprint);
        }
        self.frame = Some(frame.clone());
        Ok(())
    }

    fn put(&self, data: &RegionData<'_, R>) -> Result<()> {
        let frame = data.frame;
        let region = data.region();
        let mut cells = self.cells.lock().unwrap();
        for (matrix, block) in (0..frame.matrices.len()).flat_map(|m| (0..frame.blocks).map(move |b| (m, b))) {
            let first = (matrix * frame.blocks + block) * frame.rows * frame.cols;
            let entries = data.block(matrix, block);
            for (r, c) in region.rows.clone().flat_map(|r| region.cols.clone().map(move |c| (r, c))) {
                let x = entries[(r - region.rows.start) * region.cols.len() + c - region.cols.start];
                let mut put = |r: usize, c: usize| {
                    let before = cells[first + r * frame.cols + c].replace(x);
                    assert!(before.is_none(), "entry ({r}, {c}) arrived twice");
                };
                put(r, c);
                if data.mirrored() && region.above().contains(&r) {
                    put(c, r);
                }
            }
        }
        Ok(())
    }
}

fn model(outputs: usize) -> Model {
    let mut model = Sequential::standard(&[5]).mlp(&[9, 7, outputs], Tanh).build().unwrap();
    model.initialise(3).unwrap();
    model
}

fn numbers<R: Real>(count: usize) -> Vec<R> {
    (0..count).map(|k| R::from_f64(((k * k) as f64 * 0.618_033_988_7).fract() * 2.0 - 1.0)).collect()
}

fn in_pools(threads: &[usize], work: impl Fn() + Sync) {
    for &threads in threads {
        rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap().install(&work);
    }
}

fn flat<R: Real>(kernel: &tangent_kernels::Kernel<R>) -> Vec<R> {
    let components = kernel.components().iter().map(|(_, matrix)| matrix);
    std::iter::once(kernel.total()).chain(components).flat_map(|matrix| matrix.as_slice().to_vec()).collect()
}

fn same_bits_for_any_partition<R: Real>(outputs: usize, mode: Outputs, n: usize, m: Option<usize>, components: bool) {
    let model = model(outputs);
    let session = Session::new(&model, Cpu::<R>::new()).unwrap();
    let (x, z) = (numbers::<R>(n * 5), numbers::<R>(m.unwrap_or(0) * 5));
    let (x, z) = (Batch::new(&x, &[n, 5]).unwrap(), Batch::new(&z, &[m.unwrap_or(0), 5]).unwrap());
    let ntk = || session.ntk().outputs(mode).components(components);
    let expected = match m {
        None => ntk().compute(&x).unwrap(),
        Some(_) => ntk().between(&x, &z).unwrap(),
    };
    let expected = flat(&expected);
    let check = |ntk: tangent_kernels::Ntk<'_, Cpu<R>, _>, side: usize| {
        let mut sink = UserSink::new(side);
        match m {
            None => ntk.fill(&x, &mut sink)?,
            Some(_) => ntk.fill_between(&x, &z, &mut sink)?,
        };
        assert!(sink.into_entries() == expected, "side {side}, {mode:?}, {n} x {m:?}");
        Ok::<(), Error>(())
    };
    in_pools(&[1, 3], || {
        for side in [0, 1, 40, 100, 10_000] {
            check(ntk(), side).unwrap();
        }
        // Budgets down to the one that is rejected, so that less and less stays in memory.
        let mut budget = 4 << 20;
        while check(ntk().memory_budget(budget), 64).map_err(|error| assert!(error.is_memory(), "{error}")).is_ok() {
            budget -= budget / 8;
        }
    });
    for parts in [1, 2, 3, 50] {
        let mut sink = UserSink::new(48);
        for part in (0..parts).rev() {
            match m {
                None => ntk().shard(part, parts).fill(&x, &mut sink).unwrap(),
                Some(_) => ntk().shard(part, parts).fill_between(&x, &z, &mut sink).unwrap(),
            };
        }
        assert!(sink.into_entries() == expected, "{parts} shards");
    }
}

#[test]
fn regions_budgets_and_shards_do_not_change_a_bit() {
    same_bits_for_any_partition::<f64>(1, Outputs::Full, 333, None, false);
    same_bits_for_any_partition::<f32>(1, Outputs::Full, 333, None, true);
    same_bits_for_any_partition::<f64>(3, Outputs::Full, 90, None, true);
    same_bits_for_any_partition::<f32>(3, Outputs::PerOutput, 150, None, true);
    same_bits_for_any_partition::<f64>(3, Outputs::TraceMean, 140, Some(77), true);
    same_bits_for_any_partition::<f32>(2, Outputs::PerOutput, 70, Some(190), false);
}

#[test]
fn a_tight_budget_computes_factors_again_and_the_plan_says_so() {
    let mut model = Sequential::standard(&[5]).mlp_without_bias(&[400, 400, 1], Tanh).build().unwrap();
    model.initialise(3).unwrap();
    let session = Session::new(&model, Cpu::<f32>::new()).unwrap();
    let x = numbers::<f32>(3000 * 5);
    let x = Batch::new(&x, &[3000, 5]).unwrap();
    let runs = |budget| {
        let mut sink = UserSink::<f32>::new(500);
        session.ntk().components(false).memory_budget(budget).fill(&x, &mut sink).unwrap().plan
    };
    let all = runs(1 << 30);
    let few = runs(15 << 20);
    assert!(all.is_resident() && all.computed_samples == 3000.0);
    assert!(!few.is_resident() && few.computed_samples > 4000.0, "{few}");
    assert!(few.peak_bytes(1) <= (15 << 20) as f64);
    assert!(few.to_string().contains("are in memory at a time"), "{few}");
}

#[test]
fn progress_counts_every_step_once() {
    let model = model(1);
    let session = Session::new(&model, Cpu::<f64>::new()).unwrap();
    let x = numbers::<f64>(500 * 5);
    let x = Batch::new(&x, &[500, 5]).unwrap();
    for (method, budget, shard) in [
        (Method::Structured, 1 << 30, (0, 1)),
        (Method::Structured, 900_000, (0, 1)),
        (Method::Structured, 1 << 30, (1, 3)),
        (Method::Structured, 900_000, (2, 3)),
        (Method::ClosedForm, 1 << 30, (0, 1)),
    ] {
        let (seen, total) = (AtomicUsize::new(0), AtomicUsize::new(0));
        let callback = |progress: tangent_kernels::Progress| {
            seen.fetch_add(1, Ordering::Relaxed);
            total.store(progress.total, Ordering::Relaxed);
            ControlFlow::Continue(())
        };
        let ntk = session.ntk().method(method).memory_budget(budget).shard(shard.0, shard.1).progress(&callback);
        ntk.fill(&x, &mut UserSink::<f64>::new(64)).unwrap();
        assert_eq!(seen.into_inner(), total.into_inner(), "{method} {budget} {shard:?}");
    }
}

#[test]
fn invalid_shards_and_budgets_are_errors() {
    let model = model(1);
    let session = Session::new(&model, Cpu::<f64>::new()).unwrap();
    let x = numbers::<f64>(30 * 5);
    let x = Batch::new(&x, &[30, 5]).unwrap();
    for (part, parts, message) in [(5, 5, "got shard 5 of 5"), (0, 0, "got shard 0 of 0"), (7, 2, "got shard 7 of 2")] {
        let error = session.ntk().shard(part, parts).fill(&x, &mut UserSink::<f64>::new(0)).unwrap_err();
        assert!(error.to_string().contains(message), "{error}");
    }
    let error = session.ntk().shard(0, 2).compute(&x).unwrap_err();
    assert!(error.is_unsupported() && error.to_string().contains("shards of a kernel need a sink on disk"), "{error}");
    let error = session.ntk().method(Method::Layerwise).fill(&x, &mut UserSink::<f64>::new(0)).unwrap_err();
    assert!(error.is_unsupported() && error.to_string().contains("layerwise"), "{error}");
    assert!(session.ntk().memory_budget(0).fill(&x, &mut UserSink::<f64>::new(0)).unwrap_err().is_memory());
}

#[test]
fn the_packed_triangle_is_the_dense_kernel() {
    let model = model(2);
    let session = Session::new(&model, Cpu::<f32>::new()).unwrap();
    let x = numbers::<f32>(150 * 5);
    let x = Batch::new(&x, &[150, 5]).unwrap();
    for mode in [Outputs::Full, Outputs::PerOutput] {
        let dense = session.ntk().outputs(mode).compute(&x).unwrap();
        let mut packed = Packed::new();
        assert!(packed.total().is_err());
        session.ntk().outputs(mode).fill(&x, &mut packed).unwrap();
        let names: Vec<&str> = packed.matrices().iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names[1..], dense.components().iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>());
        let matrices = std::iter::once(dense.total()).chain(dense.components().iter().map(|(_, matrix)| matrix));
        for ((_, packed), dense) in packed.matrices().iter().zip(matrices) {
            let side = packed.side();
            assert_eq!(packed.as_slice().len(), packed.blocks() * side * (side + 1) / 2);
            assert!(packed.to_dense().unwrap() == *dense);
            assert_eq!(packed.trace(), dense.trace());
        }
    }
    let error = session.ntk().fill_between(&x, &x, &mut Packed::new()).unwrap_err();
    assert!(error.is_shape() && error.to_string().contains("no upper triangle"), "{error}");
}
