//! Tiles of K on one thread: from packed panels, compared with faer's product of the same rows, which packs every time.
//!
//! For every k it prints GFLOP/s of a layer's tile, (a . a') (b . b') with k features on both sides, and of a plain product.
//! The same numbers follow for faer. All alternate; the best of five counts.

use std::hint::black_box;
use std::time::Instant;

use faer::linalg::matmul::matmul;
use faer::traits::RealField;
use faer::{Accum, MatMut, MatRef, Par};
use tangent_kernels::Real;
use tangent_kernels::extend::{Addend, Contraction, ContractionPlan, Panels, RightPanel, Term};
use tangent_kernels::ops::Storage;
use tangent_kernels::{Cpu, Gram};
use tangent_kernels_benches::machine::numbers;

/// Rows of a tile, and blocks of them: every pair of blocks is a tile.
const SIDE: usize = 192;
const BLOCKS: usize = 6;

fn contraction_plan(with_left: bool) -> ContractionPlan {
    let part = Addend { accumulator: 0, weight: 1.0, left: with_left.then_some([0, 0]) };
    let term = Term { right: [0, 0], contraction: Contraction::Straight, parts: vec![part] };
    ContractionPlan { accumulators: 1, blocks: 1, outputs_per_sample: 1, one_hot_weight: 1.0, terms: vec![term] }
}

/// Seconds for all tiles, ours and faer's, the best of five rounds.
fn seconds<R: Real + RealField>(k: usize, with_left: bool) -> [f64; 2] {
    let cpu = Cpu::<R>::new();
    let contraction_plan = contraction_plan(with_left);
    let all = numbers::<R>(SIDE * k * (BLOCKS + 1));
    let rows: Vec<&[R]> = (0..BLOCKS).map(|block| &all[block * SIDE * k..][..SIDE * k]).collect();
    let packed: Vec<_> = rows
        .iter()
        .map(|rows| {
            let panels = Panels {
                samples: SIDE,
                lefts: vec![cpu.upload(rows, &[1, SIDE, 1, k])],
                rights: vec![RightPanel::Array(cpu.upload(rows, &[1, 1, SIDE, 1, 1, k]))],
            };
            let mut packed = Default::default();
            cpu.pack(&contraction_plan, &[panels], &mut packed).expect("the CPU does not fail");
            packed
        })
        .collect();
    let (mut scratch, mut out) = (Default::default(), vec![R::default(); SIDE * SIDE]);
    let mut products = [vec![R::default(); SIDE * SIDE], vec![R::default(); SIDE * SIDE]];
    let tiles = || (0..BLOCKS).flat_map(|i| (0..BLOCKS).filter(move |&j| j != i).map(move |j| (i, j)));
    let mut best = [f64::INFINITY; 2];
    for _ in 0..5 {
        let start = Instant::now();
        for (i, j) in tiles() {
            cpu.tile(&contraction_plan, &packed[i], &packed[j], &mut scratch, &mut out).expect("the CPU does not fail");
            black_box(&out);
        }
        best[0] = best[0].min(start.elapsed().as_secs_f64());
        let start = Instant::now();
        for (i, j) in tiles() {
            let [rows, cols] = [rows[i], rows[j]].map(|rows| MatRef::from_row_major_slice(rows, SIDE, k));
            for product in products.iter_mut().take(1 + usize::from(with_left)) {
                let to = MatMut::from_row_major_slice_mut(product, SIDE, SIDE);
                matmul(to, Accum::Replace, rows, cols.transpose(), R::from_f64(1.0), Par::Seq);
            }
            let [one, two] = &products;
            if with_left {
                out.iter_mut().zip(one).zip(two).for_each(|((out, &x), &y)| *out = x * y);
            }
            black_box((&out, &products));
        }
        best[1] = best[1].min(start.elapsed().as_secs_f64());
    }
    best
}

fn in_precision<R: Real + RealField>() {
    println!("\n{}, 1 thread, tiles of {SIDE} rows, GFLOP/s", R::NAME);
    println!("     k  layer, packed  layer, faer  product, packed  product, faer");
    for k in [50, 100, 256, 1000, 10_000] {
        let flops = (BLOCKS * (BLOCKS - 1) * SIDE * SIDE * 2 * k) as f64;
        let [layer, layer_faer] = seconds::<R>(k, true).map(|seconds| 2.0 * flops / seconds / 1e9);
        let [product, product_faer] = seconds::<R>(k, false).map(|seconds| flops / seconds / 1e9);
        println!("{k:>6}  {layer:>13.1}  {layer_faer:>11.1}  {product:>15.1}  {product_faer:>13.1}");
    }
}

fn main() {
    in_precision::<f32>();
    in_precision::<f64>();
}
