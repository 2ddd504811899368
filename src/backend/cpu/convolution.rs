//! Convolutions: patches of a few positions at a time, then one product. The patches of a whole batch are never stored.

use std::ops::Range;

use super::array::Array;
use super::gemm::{Gemm, View};
use super::{shelf, vectorised};
use crate::backend::Window;
use crate::real::Real;
use crate::shape::numel;

/// A product has about so many columns, if there are: enough for its left side to be packed once for many.
const COLUMNS: usize = 192;
/// Where a sample has more positions, patches of so many entries are made at a time, so that they stay in cache.
const ENTRIES: usize = 1 << 17;

/// Sizes of a convolution of x\[n, g c, h, w\].
struct Conv<'a> {
    window: &'a Window,
    n: usize,
    /// Channels of x in a group.
    c: usize,
    size: [usize; 2],
    positions: [usize; 2],
}

/// The positions that one product is over: all of some samples, or some rows of one.
struct Chunk {
    samples: Range<usize>,
    rows: Range<usize>,
}

impl<'a> Conv<'a> {
    /// For `x`, or its cotangent, of shape \[n, channels, h, w\].
    fn new(n: usize, channels: usize, size: [usize; 2], window: &'a Window) -> Self {
        let positions = window.positions(size).expect("the window fits, as the op's shape rule said");
        Conv { window, n, c: channels / window.groups, size, positions }
    }

    fn of<R: Real>(x: &Array<R>, window: &'a Window) -> Self {
        let s = x.shape();
        Conv::new(s[0], s[1], [s[2], s[3]], window)
    }

    fn t(&self) -> usize {
        self.positions[0] * self.positions[1]
    }

    /// The entries of a patch.
    fn i(&self) -> usize {
        self.c * self.window.kernel[0] * self.window.kernel[1]
    }

    fn plane(&self) -> usize {
        self.size[0] * self.size[1]
    }

    /// The planes of one sample and group in x.
    fn planes(&self, sample: usize, group: usize) -> Range<usize> {
        let entries = self.c * self.plane();
        let first = (sample * self.window.groups + group) * entries;
        first..first + entries
    }

    /// Where the o channels of one sample and group begin in y, at the chunk's first position.
    fn channels(&self, sample: usize, group: usize, o: usize, chunk: &Chunk) -> usize {
        (sample * self.window.groups + group) * o * self.t() + chunk.rows.start * self.positions[1]
    }

    fn chunks(&self) -> Vec<Chunk> {
        let [rows, width] = self.positions;
        if self.t() >= COLUMNS {
            let step = (ENTRIES / (self.i() * width).max(1)).clamp(COLUMNS.div_ceil(width), rows);
            let bands = move |n| (0..rows).step_by(step).map(move |r| (n, r..rows.min(r + step)));
            (0..self.n).flat_map(bands).map(|(n, rows)| Chunk { samples: n..n + 1, rows }).collect()
        } else {
            // Parts of one size: a last one of few columns would be slow.
            let parts = ((self.n * self.t() + COLUMNS / 2) / COLUMNS).max(1);
            let step = self.n.div_ceil(parts).max(1);
            let all = (0..self.n).step_by(step).map(|n| n..self.n.min(n + step));
            all.map(|samples| Chunk { samples, rows: 0..rows }).collect()
        }
    }

    /// A buffer for `rows` rows of a chunk's columns.
    fn buffer<R: Real>(&self, rows: usize) -> Vec<R> {
        shelf::unset(rows * self.chunks().iter().map(|chunk| self.columns(chunk)).max().unwrap_or(0))
    }

    fn columns(&self, chunk: &Chunk) -> usize {
        chunk.samples.len() * chunk.rows.len() * self.positions[1]
    }

    /// Patches are the entries themselves: kernels of one entry.
    fn trivial(&self) -> bool {
        self.window.kernel == [1, 1] && self.window.stride == [1, 1] && self.window.padding == [[0, 0], [0, 0]]
    }

    /// The patches of a chunk, \[i, columns\], in `buffer` or where x has them already.
    fn patches<'b, R: Real>(&self, x: &'b [R], group: usize, chunk: &Chunk, buffer: &'b mut [R]) -> View<'b, R> {
        let columns = self.columns(chunk);
        if self.trivial() && chunk.samples.len() == 1 {
            let from = &x[self.planes(chunk.samples.start, group)];
            return strided(&from[chunk.rows.start * self.positions[1]..], self.c, columns, self.plane());
        }
        let patches = &mut buffer[..self.i() * columns];
        self.taps(chunk, |tap| {
            let planes = x[self.planes(tap.sample, group)].chunks_exact(self.plane());
            for (plane, row) in planes.zip(tap.rows_of(patches, columns, self)) {
                tap.read(plane, &mut row[tap.columns.clone()], self);
            }
        });
        View::new(patches, self.i(), columns)
    }

    /// Adds the patches of a chunk, \[i, columns\], to where they were taken from. They are used up.
    fn add_patches<R: Real>(&self, x: &mut [R], group: usize, chunk: &Chunk, patches: &mut [R]) {
        let columns = self.columns(chunk);
        self.taps(chunk, |tap| {
            let planes = x[self.planes(tap.sample, group)].chunks_exact_mut(self.plane());
            for (plane, row) in planes.zip(tap.rows_of(patches, columns, self)) {
                tap.add(&mut row[tap.columns.clone()], plane, self);
            }
        });
    }

    /// Every sample of a chunk seen through every entry of the kernel.
    fn taps(&self, chunk: &Chunk, mut f: impl FnMut(&Tap)) {
        let [kernel_h, kernel_w] = self.window.kernel;
        for (k, sample) in chunk.samples.clone().enumerate() {
            let per_sample = chunk.rows.len() * self.positions[1];
            for tap_h in 0..kernel_h {
                let (rows, _) = self.window.inside(0, tap_h, self.size[0], self.positions[0]);
                let rows = rows.start.clamp(chunk.rows.start, chunk.rows.end)..rows.end.min(chunk.rows.end);
                let line = (rows.start * self.window.stride[0] + tap_h * self.window.dilation[0])
                    .saturating_sub(self.window.padding[0][0]);
                for tap_w in 0..kernel_w {
                    let (cols, at) = self.window.inside(1, tap_w, self.size[1], self.positions[1]);
                    f(&Tap {
                        sample,
                        first_row: tap_h * kernel_w + tap_w,
                        columns: k * per_sample..(k + 1) * per_sample,
                        rows: rows.start - chunk.rows.start..rows.end.max(rows.start) - chunk.rows.start,
                        line,
                        cols,
                        at,
                    });
                }
            }
        }
    }

    /// Lines of positions are as long as lines of x and move with them: the patches of a plane are the plane, shifted.
    fn shifted(&self) -> bool {
        self.window.stride == [1, 1] && self.positions[1] == self.size[1]
    }
}

/// One entry of the kernel, over a chunk's positions in one sample.
struct Tap {
    sample: usize,
    /// Its row in the patch matrix for the first channel.
    first_row: usize,
    /// The sample's columns there.
    columns: Range<usize>,
    /// Lines of positions that see lines of x, of those of the chunk; and which line the first of them sees.
    rows: Range<usize>,
    line: usize,
    /// Positions in a line that see entries of x; and which entry the first of them sees.
    cols: Range<usize>,
    at: usize,
}

impl Tap {
    /// Its rows of the patch matrix, one for every channel.
    fn rows_of<'b, R: Real>(
        &self,
        patches: &'b mut [R],
        columns: usize,
        conv: &Conv<'_>,
    ) -> impl Iterator<Item = &'b mut [R]> + use<'b, R> {
        let step = conv.window.kernel[0] * conv.window.kernel[1];
        patches.chunks_exact_mut(columns).skip(self.first_row).step_by(step)
    }

    /// Where shifted positions see entries of a plane: positions, and the entry that the first of them sees.
    fn overlap(&self, conv: &Conv<'_>) -> (Range<usize>, usize) {
        let width = conv.positions[1];
        // The entry that the first position of the first line would see, were there entries left of the plane.
        let first = self.line * width + self.at;
        let skipped = self.cols.start.saturating_sub(first);
        let begin = (first + skipped) - self.cols.start;
        let count = (self.rows.len() * width - skipped).min(conv.plane() - begin);
        let start = self.rows.start * width + skipped;
        (start..start + count, begin)
    }

    /// Zeros where positions see nothing, but for whole lines.
    fn clear_margins<R: Real>(&self, patch: &mut [R], width: usize) {
        if self.cols.len() < width {
            let lines = &mut patch[self.rows.start * width..self.rows.end * width];
            // Column by column: a margin is an entry or two wide, which is not worth a call.
            for column in (0..self.cols.start).chain(self.cols.end..width) {
                lines[column..].iter_mut().step_by(width).for_each(|x| *x = R::default());
            }
        }
    }

    /// What the positions see of `plane`, zeros where they see nothing.
    fn read<R: Real>(&self, plane: &[R], patch: &mut [R], conv: &Conv<'_>) {
        let width = conv.positions[1];
        if self.rows.is_empty() || self.cols.is_empty() {
            return patch.fill(R::default());
        }
        patch[..self.rows.start * width].fill(R::default());
        patch[self.rows.end * width..].fill(R::default());
        if conv.shifted() {
            let (positions, begin) = self.overlap(conv);
            let count = positions.len();
            patch[positions].copy_from_slice(&plane[begin..][..count]);
        } else {
            for (k, row) in self.rows.clone().enumerate() {
                let to = &mut patch[row * width..][self.cols.clone()];
                let from = &plane[(self.line + k * conv.window.stride[0]) * conv.size[1] + self.at..];
                match conv.window.stride[1] {
                    1 => to.copy_from_slice(&from[..to.len()]),
                    step => to.iter_mut().zip(from.iter().step_by(step)).for_each(|(to, &x)| *to = x),
                }
            }
        }
        self.clear_margins(patch, width);
    }

    /// The other way round: what the positions hold is added where they look.
    fn add<R: Real>(&self, patch: &mut [R], plane: &mut [R], conv: &Conv<'_>) {
        let width = conv.positions[1];
        if self.rows.is_empty() || self.cols.is_empty() {
            return;
        }
        if conv.shifted() {
            self.clear_margins(patch, width);
            let (positions, begin) = self.overlap(conv);
            vectorised(|| plane[begin..].iter_mut().zip(&patch[positions]).for_each(|(to, &p)| *to += p));
        } else {
            for (k, row) in self.rows.clone().enumerate() {
                let from = &patch[row * width..][self.cols.clone()];
                let to = &mut plane[(self.line + k * conv.window.stride[0]) * conv.size[1] + self.at..];
                match conv.window.stride[1] {
                    1 => to.iter_mut().zip(from).for_each(|(to, &p)| *to += p),
                    step => to.iter_mut().step_by(step).zip(from).for_each(|(to, &p)| *to += p),
                }
            }
        }
    }
}

/// Rows of `cols` entries, `stride` apart, at the beginning of `data`.
fn strided<R: Real>(data: &[R], rows: usize, cols: usize, stride: usize) -> View<'_, R> {
    let end = if rows == 0 { 0 } else { (rows - 1) * stride + cols };
    View { data: &data[..end], rows, cols, stride, transposed: false }
}

pub(super) fn convolve<R: Real>(x: &Array<R>, w: &Array<R>, window: &Window) -> Array<R> {
    let conv = Conv::of(x, window);
    let (i, t) = (conv.i(), conv.t());
    let o = w.shape()[0] / window.groups;
    let mut out = shelf::unset(conv.n * window.groups * o * t);
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
    shelf::put_back(buffer);
    shelf::put_back(together);
    let [h, w] = conv.positions;
    Array::new(out, vec![conv.n, window.groups * o, h, w])
}

pub(super) fn convolve_input<R: Real>(dy: &Array<R>, w: &Array<R>, window: &Window, size: [usize; 2]) -> Array<R> {
    let i = numel(w.shape()) / w.shape()[0].max(1);
    let channels = i / (window.kernel[0] * window.kernel[1]) * window.groups;
    let conv = Conv::new(dy.shape()[0], channels, size, window);
    let o = w.shape()[0] / window.groups;
    let mut out = shelf::zeros(conv.n * channels * conv.plane());
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
                conv.add_patches(&mut out, group, &chunk, &mut buffer[..i * columns]);
            }
        }
    }
    shelf::put_back(buffer);
    shelf::put_back(together);
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

pub(super) fn convolve_weight<R: Real>(x: &Array<R>, dy: &Array<R>, window: &Window) -> Array<R> {
    let conv = Conv::of(x, window);
    let (i, t) = (conv.i(), conv.t());
    let (s, g) = (dy.shape()[1], window.groups);
    let o = dy.shape()[2] / g;
    let mut out = shelf::unset(conv.n * s * g * o * i);
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
    shelf::put_back(buffer);
    Array::new(out, vec![conv.n, s, g * o, i])
}

pub(super) fn convolve_weight_sum<R: Real>(x: &Array<R>, dy: &Array<R>, window: &Window) -> Array<R> {
    let conv = Conv::of(x, window);
    let (s, g) = (dy.shape()[1], window.groups);
    if s != 1 {
        return super::elementwise::sum(&convolve_weight(x, dy, window), &[0]);
    }
    let (i, o) = (conv.i(), dy.shape()[2] / g);
    let mut out = shelf::zeros(g * o * i);
    let (mut buffer, mut together) = (conv.buffer(conv.i()), conv.buffer(o));
    for chunk in conv.chunks() {
        for group in 0..g {
            let rhs = conv.patches(x.as_slice(), group, &chunk, &mut buffer).t();
            let lhs = cotangents(&conv, dy.as_slice(), group, o, &chunk, &mut together);
            let out = &mut out[group * o * i..][..o * i];
            R::gemm(Gemm { out, out_stride: i, lhs, rhs, accumulate: true });
        }
    }
    shelf::put_back(buffer);
    shelf::put_back(together);
    Array::new(out, vec![1, 1, g * o, i])
}

pub(super) fn patches<R: Real>(x: &Array<R>, window: &Window) -> Array<R> {
    let conv = Conv::of(x, window);
    let (i, t, g) = (conv.i(), conv.t(), window.groups);
    let mut out = shelf::unset(conv.n * g * t * i);
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
    shelf::put_back(buffer);
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
