//! Tiles of K against plain loops over everything.

#[cfg(feature = "gpu")]
mod gpu;

use proptest::prelude::*;
use tangent_kernels::extend::{Addend, Contraction, ContractionPlan, Panels, RightPanel, Term};
use tangent_kernels::{Cpu, Gram};
use tangent_kernels::{Real, shape};

/// Numbers between -1 and 1 without a pattern.
fn numbers<R: Real>(count: usize, seed: u64) -> Vec<R> {
    let number = |k: u64| (((k + 1) * (k + 7) + seed * 7919) as f64 * 0.618_033_988_749_894_9).fract() * 2.0 - 1.0;
    (0..count as u64).map(|k| R::from_f64(number(k))).collect()
}

fn agree<R: Real>(got: &[R], expected: &[f64], what: &str) {
    assert_eq!(got.len(), expected.len());
    let scale = expected.iter().fold(1.0f64, |max, x| max.max(x.abs()));
    for (k, (x, y)) in got.iter().zip(expected).enumerate() {
        let tolerance = 64.0 * R::EPSILON.f64() * scale;
        assert!((x.f64() - y).abs() <= tolerance, "{what}: entry {k} is {x}, not {y}");
    }
}

/// The sizes of two blocks of samples and of a use's operands.
#[derive(Clone, Copy, Debug)]
struct Sizes {
    n: [usize; 2],
    g: usize,
    /// The positions of each block's use.
    t: [usize; 2],
    i: usize,
    o: usize,
    blocks: usize,
    outputs_per_sample: usize,
}

/// An array on the host, read by its index.
struct Host<R> {
    shape: Vec<usize>,
    data: Vec<R>,
}

impl<R: Real> Host<R> {
    fn new(shape: &[usize], seed: u64) -> Self {
        Host { shape: shape.to_vec(), data: numbers(shape::numel(shape), seed) }
    }
    fn entry(&self, index: &[usize]) -> f64 {
        let offset = index.iter().zip(&self.shape).fold(0, |offset, (k, size)| offset * size + k);
        self.data[offset].f64()
    }
    fn put<B: Gram<Number = R>>(&self, arrays: &B) -> B::Tensor {
        arrays.upload(&self.data, &self.shape)
    }
}

/// Compares one accumulator of two with loops over `K[block, n c, m c']` = `entry`.
fn compare<B: Gram>(
    arrays: &B,
    sizes: Sizes,
    panels: [Panels<B::Tensor>; 2],
    term: Term,
    one_hot_weight: f64,
    entry: impl Fn(usize, [usize; 2], [usize; 2]) -> f64,
) {
    let Sizes { n, blocks, outputs_per_sample, .. } = sizes;
    let what = format!("{:?} of {sizes:?}, {}", term.contraction, B::Number::NAME);
    let accumulator = term.parts[0].accumulator;
    let contraction_plan =
        ContractionPlan { accumulators: 2, blocks, outputs_per_sample, one_hot_weight, terms: vec![term] };
    let entries = n[0] * outputs_per_sample * n[1] * outputs_per_sample;
    let mut out = vec![B::Number::from_f64(9.0); 2 * blocks * entries];
    let [rows, cols] = panels.map(|panels| {
        let mut packed = Default::default();
        arrays.pack(&contraction_plan, &[panels], &mut packed).unwrap();
        packed
    });
    arrays.tile(&contraction_plan, &rows, &cols, &mut Default::default(), &mut out).unwrap();
    let mut expected = vec![0.0; out.len()];
    for block in 0..blocks {
        for (x, c) in (0..n[0]).flat_map(|x| (0..outputs_per_sample).map(move |c| (x, c))) {
            for (y, d) in (0..n[1]).flat_map(|y| (0..outputs_per_sample).map(move |d| (y, d))) {
                let index = (accumulator * blocks + block) * entries
                    + (x * outputs_per_sample + c) * n[1] * outputs_per_sample
                    + y * outputs_per_sample
                    + d;
                expected[index] = entry(block, [x, y], [c, d]);
            }
        }
    }
    agree(&out, &expected, &what);
}

/// The operands a and b of both blocks.
fn operands<R: Real>(s: Sizes) -> ([Host<R>; 2], [Host<R>; 2]) {
    let a = [0, 1].map(|k| Host::new(&[s.g, s.n[k], s.t[k], s.i], k as u64));
    let b = [0, 1].map(|k| Host::new(&[s.blocks, s.g, s.n[k], s.t[k], s.outputs_per_sample, s.o], 2 + k as u64));
    (a, b)
}

fn panels<B: Gram>(arrays: &B, s: Sizes, a: &[Host<B::Number>; 2], b: &[Host<B::Number>; 2]) -> [Panels<B::Tensor>; 2] {
    [0, 1].map(|k| Panels {
        samples: s.n[k],
        lefts: vec![a[k].put(arrays)],
        rights: vec![RightPanel::Array(b[k].put(arrays))],
    })
}

fn term(contraction: Contraction, left: bool) -> Term {
    let addend = Addend { accumulator: 1, weight: 0.75, left: left.then_some([0, 0]) };
    Term { right: [0, 0], contraction, parts: vec![addend] }
}

/// The operands of both uses are in both panels, as in a kernel. The rows have the first use, the columns the second.
fn straight<B: Gram>(arrays: &B, s: Sizes) {
    let (a, b) = operands::<B::Number>(s);
    let mut panels = panels(arrays, s, &a, &b);
    for (k, block) in panels.iter_mut().enumerate() {
        let other = Host::<B::Number>::new(&[s.g, s.n[k], s.t[1 - k], s.i], 20);
        block.lefts.insert(1 - k, other.put(arrays));
        let other = Host::<B::Number>::new(&[s.blocks, s.g, s.n[k], s.t[1 - k], s.outputs_per_sample, s.o], 21);
        block.rights.insert(1 - k, RightPanel::Array(other.put(arrays)));
    }
    let mut term = term(Contraction::Straight, true);
    (term.right, term.parts[0].left) = ([0, 1], Some([0, 1]));
    compare(arrays, s, panels, term, 1.0, |block, [x, y], [c, d]| {
        let mut sum = 0.0;
        for (g, p, q) in (0..s.g).flat_map(|g| (0..s.t[0]).flat_map(move |p| (0..s.t[1]).map(move |q| (g, p, q)))) {
            let left: f64 = (0..s.i).map(|i| a[0].entry(&[g, x, p, i]) * a[1].entry(&[g, y, q, i])).sum();
            let right: f64 =
                (0..s.o).map(|o| b[0].entry(&[block, g, x, p, c, o]) * b[1].entry(&[block, g, y, q, d, o])).sum();
            sum += left * right;
        }
        0.75 * sum
    });
}

/// A bias: no input operand, one position.
fn without_left<B: Gram>(arrays: &B, s: Sizes) {
    let s = Sizes { g: 1, t: [1, 1], ..s };
    let (a, b) = operands::<B::Number>(s);
    compare(arrays, s, panels(arrays, s, &a, &b), term(Contraction::Straight, false), 1.0, |block, [x, y], [c, d]| {
        0.75 * (0..s.o).map(|o| b[0].entry(&[block, 0, x, 0, c, o]) * b[1].entry(&[block, 0, y, 0, d, o])).sum::<f64>()
    });
}

fn unit<B: Gram>(arrays: &B, s: Sizes, with_left: bool) {
    let s = Sizes { g: 1, t: [1, 1], ..s };
    let (a, b) = operands::<B::Number>(s);
    let mut panels = panels(arrays, s, &a, &b);
    panels.iter_mut().for_each(|panels| panels.rights = vec![RightPanel::OneHot]);
    compare(arrays, s, panels, term(Contraction::Straight, with_left), 3.0, |_, [x, y], [c, d]| {
        let left: f64 = (0..s.i).map(|i| a[0].entry(&[0, x, 0, i]) * a[1].entry(&[0, y, 0, i])).sum();
        if c == d { 3.0 * 0.75 * if with_left { left } else { 1.0 } } else { 0.0 }
    });
}

fn crossed<B: Gram>(arrays: &B, s: Sizes) {
    let s = Sizes { g: 1, t: [1, 1], i: s.o, ..s };
    let (a, b) = operands::<B::Number>(s);
    compare(arrays, s, panels(arrays, s, &a, &b), term(Contraction::Crossed, true), 1.0, |block, [x, y], [c, d]| {
        let dot = |a: &Host<B::Number>, n: usize, b: &Host<B::Number>, m: usize, c: usize| -> f64 {
            (0..s.o).map(|o| a.entry(&[0, n, 0, o]) * b.entry(&[block, 0, m, 0, c, o])).sum()
        };
        0.75 * dot(&a[0], x, &b[1], y, d) * dot(&a[1], y, &b[0], x, c)
    });
}

fn mixed<B: Gram>(arrays: &B, s: Sizes) {
    let s = Sizes { g: 1, ..s };
    let (a, b) = operands::<B::Number>(s);
    let gradients = Host::<B::Number>::new(&[s.blocks, 1, s.n[1], 1, s.outputs_per_sample, s.o * s.i], 9);
    let mut panels = panels(arrays, s, &a, &b);
    panels[1].rights = vec![RightPanel::Array(gradients.put(arrays))];
    compare(arrays, s, panels, term(Contraction::Mixed, true), 1.0, |block, [x, y], [c, d]| {
        let mut sum = 0.0;
        for (t, o) in (0..s.t[0]).flat_map(|t| (0..s.o).map(move |o| (t, o))) {
            let row = |i: usize| gradients.entry(&[block, 0, y, 0, d, o * s.i + i]);
            let product: f64 = (0..s.i).map(|i| row(i) * a[0].entry(&[0, x, t, i])).sum();
            sum += b[0].entry(&[block, 0, x, t, c, o]) * product;
        }
        0.75 * sum
    });
}

/// An embedding: positions with the same row of the table are contracted.
fn joined<B: Gram>(arrays: &B, s: Sizes, table: usize) {
    let s = Sizes { g: 1, t: [s.t[0]; 2], ..s };
    let (_, b) = operands::<B::Number>(s);
    // Row numbers without a pattern, some of them twice in a sample.
    let ids = [0, 1].map(|k| {
        let count = s.n[k] * s.t[k];
        let data = (0..count).map(|n| B::Number::from_f64(((n * n + 3 * n + 5 * k) % table) as f64)).collect();
        Host::<B::Number> { shape: vec![1, s.n[k], s.t[k], 1], data }
    });
    let panels = panels(arrays, s, &ids, &b);
    compare(arrays, s, panels, term(Contraction::Joined, true), 1.0, |block, [x, y], [c, d]| {
        let mut sum = 0.0;
        for (t, u) in (0..s.t[0]).flat_map(|t| (0..s.t[1]).map(move |u| (t, u))) {
            if ids[0].entry(&[0, x, t, 0]) == ids[1].entry(&[0, y, u, 0]) {
                let dot = |o: usize| b[0].entry(&[block, 0, x, t, c, o]) * b[1].entry(&[block, 0, y, u, d, o]);
                sum += (0..s.o).map(dot).sum::<f64>();
            }
        }
        0.75 * sum
    });
}

fn all<B: Gram>(arrays: &B, s: Sizes) {
    straight(arrays, s);
    straight(arrays, Sizes { g: 1, t: [1, 1], ..s });
    without_left(arrays, s);
    unit(arrays, s, true);
    unit(arrays, s, false);
    crossed(arrays, s);
    mixed(arrays, s);
    joined(arrays, s, 1 + s.i);
}

proptest! {
    #[test]
    fn tiles_match_loops(
        n in [0usize..5, 0usize..6], g in 1usize..3, t in [1usize..4, 1usize..4], i in 1usize..5, o in 1usize..5,
        blocks in 1usize..3, outputs_per_sample in 1usize..4,
    ) {
        let sizes = Sizes { n, g, t, i, o, blocks, outputs_per_sample };
        all(&Cpu::<f64>::new(), sizes);
        all(&Cpu::<f32>::new(), sizes);
    }
}

#[test]
fn large_tiles_match_loops() {
    // Enough positions and samples for several steps along rows and columns.
    let sizes = Sizes { n: [3, 40], g: 1, t: [60, 50], i: 3, o: 2, blocks: 1, outputs_per_sample: 1 };
    straight(&Cpu::<f64>::new(), sizes);
    straight(&Cpu::<f64>::new(), Sizes { outputs_per_sample: 3, n: [4, 9], o: 31, ..sizes });
    mixed(&Cpu::<f64>::new(), Sizes { outputs_per_sample: 2, n: [2, 30], o: 120, t: [50, 1], ..sizes });
    let vectors = Sizes { n: [70, 65], g: 1, t: [1, 1], i: 33, o: 17, blocks: 2, outputs_per_sample: 1 };
    straight(&Cpu::<f64>::new(), vectors);
    straight(&Cpu::<f64>::new(), Sizes { n: [40, 33], blocks: 1, outputs_per_sample: 3, ..vectors });
    // Rows longer than one step of a product, and columns of every number of vectors.
    for m in [7, 30, 62, 70] {
        let long = Sizes { n: [9, m], i: 410, o: 200, blocks: 1, ..vectors };
        straight(&Cpu::<f64>::new(), long);
        straight(&Cpu::<f32>::new(), Sizes { i: 20, o: 500, ..long });
        without_left(&Cpu::<f64>::new(), Sizes { o: 390, ..long });
    }
}

/// The same tests on a GPU.
#[cfg(feature = "gpu")]
mod on_gpu {
    use super::*;
    use crate::gpu::gpu;

    proptest! {
        #![proptest_config(ProptestConfig { cases: 40, failure_persistence: None, ..ProptestConfig::default() })]
        #[test]
        fn tiles_match_loops(
            n in [0usize..5, 0usize..6], g in 1usize..3, t in [1usize..4, 1usize..4], i in 1usize..5, o in 1usize..5,
            blocks in 1usize..3, outputs_per_sample in 1usize..4,
        ) {
            let Some(gpu) = gpu() else { return Ok(()) };
            all(&gpu, Sizes { n, g, t, i, o, blocks, outputs_per_sample });
        }
    }

    #[test]
    fn large_tiles_match_loops() {
        let Some(gpu) = gpu() else { return };
        straight(&gpu, Sizes { n: [3, 40], g: 1, t: [60, 50], i: 3, o: 2, blocks: 1, outputs_per_sample: 1 });
        // Several squares along rows and columns, and several steps.
        let vectors = Sizes { n: [70, 265], g: 1, t: [1, 1], i: 33, o: 17, blocks: 2, outputs_per_sample: 1 };
        straight(&gpu, vectors);
        straight(&gpu, Sizes { n: [140, 33], blocks: 1, outputs_per_sample: 3, ..vectors });
        without_left(&gpu, vectors);
    }
}
