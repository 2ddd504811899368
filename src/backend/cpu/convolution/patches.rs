//! Patches of a few positions at a time, made and taken back.

use std::ops::Range;

use super::super::array::Array;
use crate::backend::Window;
use crate::real::gemm::View;
use crate::real::{Real, buffer_pool, vectorised};

/// A product has about so many columns, if there are: enough for its left side to be packed once for many.
const COLUMNS: usize = 192;
/// Where a sample has more positions, patches of so many entries are made at a time, so that they stay in cache.
const ENTRIES: usize = 1 << 17;

/// Sizes of a convolution of x\[n, g c, h, w\].
pub(super) struct Conv<'a> {
    pub window: &'a Window,
    pub n: usize,
    /// Channels of x in a group.
    pub c: usize,
    pub size: [usize; 2],
    pub positions: [usize; 2],
}

/// The positions that one product is over: all of some samples, or some rows of one.
pub(super) struct Chunk {
    pub samples: Range<usize>,
    pub rows: Range<usize>,
}

impl<'a> Conv<'a> {
    /// For `x`, or its cotangent, of shape \[n, channels, h, w\].
    pub fn new(n: usize, channels: usize, size: [usize; 2], window: &'a Window) -> Self {
        let positions = window.positions(size).expect("the window fits, as the op's shape rule said");
        Conv { window, n, c: channels / window.groups, size, positions }
    }

    pub fn of<R: Real>(x: &Array<R>, window: &'a Window) -> Self {
        let s = x.shape();
        Conv::new(s[0], s[1], [s[2], s[3]], window)
    }

    pub fn t(&self) -> usize {
        self.positions[0] * self.positions[1]
    }

    /// The entries of a patch.
    pub fn i(&self) -> usize {
        self.c * self.window.kernel[0] * self.window.kernel[1]
    }

    pub fn plane(&self) -> usize {
        self.size[0] * self.size[1]
    }

    /// The planes of one sample and group in x.
    pub fn planes(&self, sample: usize, group: usize) -> Range<usize> {
        let entries = self.c * self.plane();
        let first = (sample * self.window.groups + group) * entries;
        first..first + entries
    }

    /// Where the o channels of one sample and group begin in y, at the chunk's first position.
    pub fn channels(&self, sample: usize, group: usize, o: usize, chunk: &Chunk) -> usize {
        (sample * self.window.groups + group) * o * self.t() + chunk.rows.start * self.positions[1]
    }

    pub fn chunks(&self) -> Vec<Chunk> {
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
    pub fn buffer<R: Real>(&self, rows: usize) -> Vec<R> {
        buffer_pool::unset(rows * self.chunks().iter().map(|chunk| self.columns(chunk)).max().unwrap_or(0))
    }

    pub fn columns(&self, chunk: &Chunk) -> usize {
        chunk.samples.len() * chunk.rows.len() * self.positions[1]
    }

    /// Patches are the entries themselves: kernels of one entry.
    pub fn trivial(&self) -> bool {
        self.window.kernel == [1, 1] && self.window.stride == [1, 1] && self.window.padding == [[0, 0], [0, 0]]
    }

    /// The patches of a chunk, \[i, columns\], in `buffer` or where x has them already.
    pub fn patches<'b, R: Real>(&self, x: &'b [R], group: usize, chunk: &Chunk, buffer: &'b mut [R]) -> View<'b, R> {
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
    pub fn add_patches<R: Real>(&self, x: &mut [R], group: usize, chunk: &Chunk, patches: &mut [R]) {
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
pub(super) fn strided<R: Real>(data: &[R], rows: usize, cols: usize, stride: usize) -> View<'_, R> {
    let end = if rows == 0 { 0 } else { (rows - 1) * stride + cols };
    View { data: &data[..end], rows, cols, stride, transposed: false }
}
