//! Convolutions: patches of a few positions at a time, then one product. The patches of a whole batch are never stored.

mod patches;

use super::array::Array;
use crate::backend::Window;
use crate::real::gemm::{Gemm, View};
use crate::real::{Real, buffer_pool};
use crate::shape::numel;
use patches::{Chunk, Conv, strided};

pub(in crate::backend::cpu) fn convolve<R: Real>(x: &Array<R>, w: &Array<R>, window: &Window) -> Array<R> {
    let conv = Conv::of(x, window);
    let (i, t) = (conv.i(), conv.t());
    let o = w.shape()[0] / window.groups;
    let mut out = buffer_pool::unset(conv.n * window.groups * o * t);
    let (mut buffer, mut together) = (conv.buffer(conv.i()), conv.buffer(o));
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
                let together = &mut together[..o * columns];
                R::gemm(Gemm { out: &mut *together, out_stride: columns, lhs, rhs, accumulate: false });
                for (k, sample) in chunk.samples.clone().enumerate() {
                    let to = out[conv.channels(sample, group, o, &chunk)..].chunks_exact_mut(t);
                    for (to, from) in to.zip(together.chunks_exact(columns)) {
                        to.copy_from_slice(&from[k * t..][..t]);
                    }
                }
            }
        }
    }
    buffer_pool::put_back(buffer);
    buffer_pool::put_back(together);
    let [h, w] = conv.positions;
    Array::new(out, vec![conv.n, window.groups * o, h, w])
}

pub(in crate::backend::cpu) fn convolve_input<R: Real>(
    dy: &Array<R>,
    w: &Array<R>,
    window: &Window,
    size: [usize; 2],
) -> Array<R> {
    let i = numel(w.shape()) / w.shape()[0].max(1);
    let channels = i / (window.kernel[0] * window.kernel[1]) * window.groups;
    let conv = Conv::new(dy.shape()[0], channels, size, window);
    let o = w.shape()[0] / window.groups;
    let mut out = buffer_pool::zeros(conv.n * channels * conv.plane());
    let (mut buffer, mut together) = (conv.buffer(conv.i()), conv.buffer(o));
    for chunk in conv.chunks() {
        let columns = conv.columns(&chunk);
        for group in 0..window.groups {
            let lhs = View::new(&w.as_slice()[group * o * i..][..o * i], o, i).t();
            let rhs = cotangents(&conv, dy.as_slice(), group, o, &chunk, &mut together);
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
    buffer_pool::put_back(together);
    Array::new(out, vec![conv.n, channels, size[0], size[1]])
}

/// dy of a chunk as \[o, columns\]: where it is, or gathered from several samples.
fn cotangents<'b, R: Real>(
    conv: &Conv<'_>,
    dy: &'b [R],
    group: usize,
    o: usize,
    chunk: &Chunk,
    together: &'b mut [R],
) -> View<'b, R> {
    let (columns, t) = (conv.columns(chunk), conv.t());
    if chunk.samples.len() == 1 {
        return strided(&dy[conv.channels(chunk.samples.start, group, o, chunk)..], o, columns, t);
    }
    let together = &mut together[..o * columns];
    for (k, sample) in chunk.samples.clone().enumerate() {
        let from = dy[conv.channels(sample, group, o, chunk)..].chunks_exact(t);
        for (to, from) in together.chunks_exact_mut(columns).zip(from) {
            to[k * t..][..t].copy_from_slice(from);
        }
    }
    View::new(together, o, columns)
}

pub(in crate::backend::cpu) fn convolve_weight<R: Real>(x: &Array<R>, dy: &Array<R>, window: &Window) -> Array<R> {
    let conv = Conv::of(x, window);
    let (i, t) = (conv.i(), conv.t());
    let (s, g) = (dy.shape()[1], window.groups);
    let o = dy.shape()[2] / g;
    let mut out = buffer_pool::unset(conv.n * s * g * o * i);
    let mut buffer = conv.buffer(i);
    for chunk in conv.chunks() {
        let columns = conv.columns(&chunk);
        let accumulate = chunk.rows.start > 0;
        for group in 0..g {
            let patches = conv.patches(x.as_slice(), group, &chunk, &mut buffer);
            for (k, sample) in chunk.samples.clone().enumerate() {
                let rhs = View { data: &patches.data[k * t..], cols: columns / chunk.samples.len(), ..patches }.t();
                // Without groups the channels of all cotangents are one matrix.
                let (times, rows) = if g == 1 { (1, s * o) } else { (s, o) };
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

pub(in crate::backend::cpu) fn convolve_weight_sum<R: Real>(x: &Array<R>, dy: &Array<R>, window: &Window) -> Array<R> {
    let conv = Conv::of(x, window);
    let (s, g) = (dy.shape()[1], window.groups);
    if s != 1 {
        return super::elementwise::sum(&convolve_weight(x, dy, window), &[0]);
    }
    let (i, o) = (conv.i(), dy.shape()[2] / g);
    let mut out = buffer_pool::zeros(g * o * i);
    let (mut buffer, mut together) = (conv.buffer(conv.i()), conv.buffer(o));
    for chunk in conv.chunks() {
        for group in 0..g {
            let rhs = conv.patches(x.as_slice(), group, &chunk, &mut buffer).t();
            let lhs = cotangents(&conv, dy.as_slice(), group, o, &chunk, &mut together);
            let out = &mut out[group * o * i..][..o * i];
            R::gemm(Gemm { out, out_stride: i, lhs, rhs, accumulate: true });
        }
    }
    buffer_pool::put_back(buffer);
    buffer_pool::put_back(together);
    Array::new(out, vec![1, 1, g * o, i])
}

pub(in crate::backend::cpu) fn patches<R: Real>(x: &Array<R>, window: &Window) -> Array<R> {
    let conv = Conv::of(x, window);
    let (i, t, g) = (conv.i(), conv.t(), window.groups);
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

/// The transpose of a matrix of `rows` x `cols`, by squares that stay in cache.
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
