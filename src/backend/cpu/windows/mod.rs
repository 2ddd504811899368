//! Convolutions by patches of a few positions at a time and one product for them, and pools. The patches of a whole
//! batch are never stored.

mod patches;
mod pool;

use super::{Array, Cpu, Index};
use crate::backend::{Reductions, Window, Windows};
use crate::real::gemm::{Gemm, View};
use crate::real::{Real, buffer_pool, vectorised};
use crate::shape::numel;
use patches::{Conv, strided};
use pool::{Planes, for_each_tap, side_by_side, spread_lines, sum_lines};

impl<R: Real> Windows for Cpu<R> {
    fn patches(&self, x: &Array<R>, window: &Window) -> Array<R> {
        let conv = Conv::for_input(x, window);
        let [i, t, g] = [conv.i(), conv.t(), window.groups];
        let mut out = buffer_pool::unset(conv.n * g * t * i);
        let mut buffer = conv.buffer(i);
        for chunk in conv.chunks() {
            let columns = conv.columns(&chunk);
            for group in 0..g {
                let patches = conv.patches(x.as_slice(), group, &chunk, &mut buffer);
                for (k, sample) in chunk.samples.clone().enumerate() {
                    let per_sample = columns / chunk.samples.len();
                    let first = (sample * g + group) * t + chunk.rows.start * conv.positions[1];
                    let to = &mut out[first * i..][..per_sample * i];
                    transpose(&patches.data[k * per_sample..], patches.stride, i, per_sample, to);
                }
            }
        }
        buffer_pool::put_back(buffer);
        Array::new(out, vec![conv.n, g, t, i])
    }

    fn convolve(&self, x: &Array<R>, w: &Array<R>, window: &Window) -> Array<R> {
        let conv = Conv::for_input(x, window);
        let [i, t] = [conv.i(), conv.t()];
        let o = w.shape()[0] / window.groups;
        let mut out = buffer_pool::unset(conv.n * window.groups * o * t);
        let mut buffer = conv.buffer(i);
        let mut product = conv.buffer(o);
        for chunk in conv.chunks() {
            let columns = conv.columns(&chunk);
            for group in 0..window.groups {
                let rhs = conv.patches(x.as_slice(), group, &chunk, &mut buffer);
                let lhs = View::new(&w.as_slice()[group * o * i..][..o * i], o, i);
                if chunk.samples.len() == 1 {
                    let first = conv.channels(chunk.samples.start, group, o, &chunk);
                    let out = &mut out[first..][..(o - 1) * t + columns];
                    R::gemm(Gemm { out, out_stride: t, lhs, rhs, accumulate: false });
                } else {
                    let product = &mut product[..o * columns];
                    R::gemm(Gemm { out: &mut *product, out_stride: columns, lhs, rhs, accumulate: false });
                    for (k, sample) in chunk.samples.clone().enumerate() {
                        let to = out[conv.channels(sample, group, o, &chunk)..].chunks_exact_mut(t);
                        for (to, from) in to.zip(product.chunks_exact(columns)) {
                            to.copy_from_slice(&from[k * t..][..t]);
                        }
                    }
                }
            }
        }
        buffer_pool::put_back(buffer);
        buffer_pool::put_back(product);
        let [h, w] = conv.positions;
        Array::new(out, vec![conv.n, window.groups * o, h, w])
    }

    fn convolve_input(&self, dy: &Array<R>, w: &Array<R>, window: &Window, size: [usize; 2]) -> Array<R> {
        let i = numel(w.shape()) / w.shape()[0].max(1);
        let channels = i / (window.kernel[0] * window.kernel[1]) * window.groups;
        let conv = Conv::new(dy.shape()[0], channels, size, window);
        let o = w.shape()[0] / window.groups;
        let mut out = buffer_pool::zeros(conv.n * channels * conv.plane());
        let mut buffer = conv.buffer(conv.i());
        let mut gathered = conv.buffer(o);
        for chunk in conv.chunks() {
            let columns = conv.columns(&chunk);
            for group in 0..window.groups {
                let lhs = View::new(&w.as_slice()[group * o * i..][..o * i], o, i).t();
                let rhs = conv.cotangents(dy.as_slice(), group, o, &chunk, &mut gathered);
                if conv.trivial() && chunk.samples.len() == 1 {
                    let plane = conv.plane();
                    let out = &mut out[conv.planes(chunk.samples.start, group)][chunk.rows.start * size[1]..];
                    let out = &mut out[..(i - 1) * plane + columns];
                    R::gemm(Gemm { out, out_stride: plane, lhs, rhs, accumulate: false });
                } else {
                    let patches = &mut buffer[..i * columns];
                    R::gemm(Gemm { out: &mut *patches, out_stride: columns, lhs, rhs, accumulate: false });
                    conv.add_patches(&mut out, group, &chunk, patches);
                }
            }
        }
        buffer_pool::put_back(buffer);
        buffer_pool::put_back(gathered);
        Array::new(out, vec![conv.n, channels, size[0], size[1]])
    }

    fn convolve_weight(&self, x: &Array<R>, dy: &Array<R>, window: &Window) -> Array<R> {
        let conv = Conv::for_input(x, window);
        let [i, t] = [conv.i(), conv.t()];
        let [s, g] = [dy.shape()[1], window.groups];
        let o = dy.shape()[2] / g;
        let mut out = buffer_pool::unset(conv.n * s * g * o * i);
        let mut buffer = conv.buffer(i);
        // Without groups the channels of all cotangents are one matrix.
        let [times, rows] = if g == 1 { [1, s * o] } else { [s, o] };
        for chunk in conv.chunks() {
            let columns = conv.columns(&chunk);
            let accumulate = chunk.rows.start > 0;
            for group in 0..g {
                let patches = conv.patches(x.as_slice(), group, &chunk, &mut buffer);
                for (k, sample) in chunk.samples.clone().enumerate() {
                    let rhs = View { data: &patches.data[k * t..], cols: columns / chunk.samples.len(), ..patches }.t();
                    for cotangent in 0..times {
                        let channel = (sample * s + cotangent) * g * o + group * o;
                        let first = channel * t + chunk.rows.start * conv.positions[1];
                        let lhs = strided(&dy.as_slice()[first..], rows, rhs.cols, t);
                        let out = &mut out[channel * i..][..rows * i];
                        R::gemm(Gemm { out, out_stride: i, lhs, rhs, accumulate });
                    }
                }
            }
        }
        buffer_pool::put_back(buffer);
        Array::new(out, vec![conv.n, s, g * o, i])
    }

    fn convolve_weight_sum(&self, x: &Array<R>, dy: &Array<R>, window: &Window) -> Array<R> {
        let conv = Conv::for_input(x, window);
        let [s, g] = [dy.shape()[1], window.groups];
        if s != 1 {
            return self.sum(&self.convolve_weight(x, dy, window), &[0]);
        }
        let [i, o] = [conv.i(), dy.shape()[2] / g];
        let mut out = buffer_pool::zeros(g * o * i);
        let mut buffer = conv.buffer(i);
        let mut gathered = conv.buffer(o);
        for chunk in conv.chunks() {
            for group in 0..g {
                let rhs = conv.patches(x.as_slice(), group, &chunk, &mut buffer).t();
                let lhs = conv.cotangents(dy.as_slice(), group, o, &chunk, &mut gathered);
                let out = &mut out[group * o * i..][..o * i];
                R::gemm(Gemm { out, out_stride: i, lhs, rhs, accumulate: true });
            }
        }
        buffer_pool::put_back(buffer);
        buffer_pool::put_back(gathered);
        Array::new(out, vec![1, 1, g * o, i])
    }

    fn window_sum(&self, x: &Array<R>, window: &Window) -> Array<R> {
        let planes = Planes::new(x.shape(), [x.shape()[2], x.shape()[3]], window);
        let mut out = buffer_pool::zeros(planes.count() * planes.output_entries());
        let inputs = x.as_slice().chunks_exact(planes.input_entries().max(1));
        for (x, y) in inputs.zip(out.chunks_exact_mut(planes.output_entries())) {
            match window.kernel[1] {
                2 if side_by_side(window) => vectorised(|| sum_lines::<R, 2>(x, y, window, &planes)),
                3 if side_by_side(window) => vectorised(|| sum_lines::<R, 3>(x, y, window, &planes)),
                _ => for_each_tap(window, &planes, |tap| {
                    let from = x[tap.x..].iter().step_by(tap.step);
                    y[tap.y..][..tap.count].iter_mut().zip(from).for_each(|(to, &x)| *to += x);
                }),
            }
        }
        Array::new(out, planes.shaped(planes.positions))
    }

    fn window_spread(&self, dy: &Array<R>, window: &Window, size: [usize; 2]) -> Array<R> {
        let planes = Planes::new(dy.shape(), size, window);
        let mut out = buffer_pool::zeros(planes.count() * planes.input_entries());
        let cotangents = dy.as_slice().chunks_exact(planes.output_entries());
        for (x, y) in out.chunks_exact_mut(planes.input_entries().max(1)).zip(cotangents) {
            match window.kernel[1] {
                2 if side_by_side(window) => vectorised(|| spread_lines::<R, 2>(x, y, window, &planes)),
                3 if side_by_side(window) => vectorised(|| spread_lines::<R, 3>(x, y, window, &planes)),
                _ => for_each_tap(window, &planes, |tap| {
                    let to = x[tap.x..].iter_mut().step_by(tap.step);
                    to.zip(&y[tap.y..][..tap.count]).for_each(|(to, &y)| *to += y);
                }),
            }
        }
        Array::new(out, planes.shaped(size))
    }

    fn window_argmax(&self, x: &Array<R>, window: &Window) -> Index {
        let planes = Planes::new(x.shape(), [x.shape()[2], x.shape()[3]], window);
        let mut out = vec![usize::MAX; planes.count() * planes.output_entries()];
        let inputs = x.as_slice().chunks_exact(planes.input_entries().max(1));
        for (plane, (x, best)) in inputs.zip(out.chunks_exact_mut(planes.output_entries())).enumerate() {
            let first = plane * planes.input_entries();
            for_each_tap(window, &planes, |tap| {
                for k in 0..tap.count {
                    let entry = tap.x + k * tap.step;
                    let best = &mut best[tap.y + k];
                    // The first of equal entries is kept. A NaN is taken, and kept.
                    let old = |best: usize| x[best - first];
                    if *best == usize::MAX || !(x[entry] <= old(*best) || old(*best).f64().is_nan()) {
                        *best = first + entry;
                    }
                }
            });
        }
        Index::new(out, planes.shaped(planes.positions))
    }
}

/// Writes the transpose of a `rows` x `cols` matrix to `to`, by squares that stay in cache.
fn transpose<R: Real>(from: &[R], stride: usize, rows: usize, cols: usize, to: &mut [R]) {
    const SQUARE: usize = 16;
    for row in (0..rows).step_by(SQUARE) {
        for col in (0..cols).step_by(SQUARE) {
            for c in col..cols.min(col + SQUARE) {
                for r in row..rows.min(row + SQUARE) {
                    to[c * rows + r] = from[r * stride + c];
                }
            }
        }
    }
}
