//! Patches of a few positions at a time: reading them from planes, and adding them to planes.

use std::ops::Range;

use crate::backend::Window;
use crate::backend::cpu::Array;
use crate::real::gemm::View;
use crate::real::{Real, buffer_pool, vectorised};

/// The preferred number of columns of a product. Its left operand is then packed once for many columns.
const COLUMNS: usize = 192;
/// The number of entries of the patches in one chunk if a sample has more positions. They stay in cache.
const ENTRIES: usize = 1 << 17;

/// The sizes of a convolution of `x[n, g c, h, w]`.
pub(super) struct Conv<'a> {
    pub window: &'a Window,
    pub n: usize,
    /// The number of channels of x in a group.
    pub c: usize,
    pub size: [usize; 2],
    pub positions: [usize; 2],
}

/// The positions of one product: all positions of some samples, or some rows of positions of one sample.
pub(super) struct Chunk {
    pub samples: Range<usize>,
    pub rows: Range<usize>,
}

impl<'a> Conv<'a> {
    /// For `x`, or its cotangent, of shape `[n, channels, h, w]`, where `size` is `[h, w]`.
    pub fn new(n: usize, channels: usize, size: [usize; 2], window: &'a Window) -> Self {
        let positions = window.positions(size).expect("the op's shape rule checked that the window fits");
        Conv { window, n, c: channels / window.groups, size, positions }
    }

    pub fn for_input<R: Real>(x: &Array<R>, window: &'a Window) -> Self {
        let shape = x.shape();
        Conv::new(shape[0], shape[1], [shape[2], shape[3]], window)
    }

    /// The number of positions.
    pub fn t(&self) -> usize {
        self.positions[0] * self.positions[1]
    }

    /// The number of entries of a patch.
    pub fn i(&self) -> usize {
        self.c * self.window.kernel[0] * self.window.kernel[1]
    }

    /// The number of entries of a plane.
    pub fn plane(&self) -> usize {
        self.size[0] * self.size[1]
    }

    /// The range of one sample and group in the entries of x.
    pub fn planes(&self, sample: usize, group: usize) -> Range<usize> {
        let entries = self.c * self.plane();
        let first = (sample * self.window.groups + group) * entries;
        first..first + entries
    }

    /// The offset in y of the o channels of one sample and group, at the chunk's first position.
    pub fn channels(&self, sample: usize, group: usize, o: usize, chunk: &Chunk) -> usize {
        (sample * self.window.groups + group) * o * self.t() + chunk.rows.start * self.positions[1]
    }

    pub fn chunks(&self) -> Vec<Chunk> {
        let [rows, width] = self.positions;
        if self.t() >= COLUMNS {
            let step = (ENTRIES / (self.i() * width).max(1)).clamp(COLUMNS.div_ceil(width), rows);
            let ranges = (0..rows).step_by(step).map(|row| row..rows.min(row + step));
            let of_sample = |n| ranges.clone().map(move |rows| Chunk { samples: n..n + 1, rows });
            (0..self.n).flat_map(of_sample).collect()
        } else {
            // Parts of equal size: a last part with few columns would be slow.
            let parts = ((self.n * self.t() + COLUMNS / 2) / COLUMNS).max(1);
            let step = self.n.div_ceil(parts).max(1);
            let ranges = (0..self.n).step_by(step).map(|n| n..self.n.min(n + step));
            ranges.map(|samples| Chunk { samples, rows: 0..rows }).collect()
        }
    }

    /// A buffer for `rows` rows with the columns of any chunk.
    pub fn buffer<R: Real>(&self, rows: usize) -> Vec<R> {
        buffer_pool::unset(rows * self.chunks().iter().map(|chunk| self.columns(chunk)).max().unwrap_or(0))
    }

    /// The number of positions in a chunk.
    pub fn columns(&self, chunk: &Chunk) -> usize {
        chunk.samples.len() * chunk.rows.len() * self.positions[1]
    }

    /// True if every patch is one entry, so that the patches are the planes themselves.
    pub fn trivial(&self) -> bool {
        self.window.kernel == [1, 1] && self.window.stride == [1, 1] && self.window.padding == [[0, 0], [0, 0]]
    }

    /// The patches of a chunk, `[i, columns]`: in `buffer`, or a view of x if x has them already.
    pub fn patches<'b, R: Real>(&self, x: &'b [R], group: usize, chunk: &Chunk, buffer: &'b mut [R]) -> View<'b, R> {
        let columns = self.columns(chunk);
        if self.trivial() && chunk.samples.len() == 1 {
            let from = &x[self.planes(chunk.samples.start, group)];
            return strided(&from[chunk.rows.start * self.positions[1]..], self.c, columns, self.plane());
        }
        let patches = &mut buffer[..self.i() * columns];
        self.for_each_tap(chunk, |tap| {
            let planes = x[self.planes(tap.sample, group)].chunks_exact(self.plane());
            for (plane, row) in planes.zip(tap.rows_of(patches, columns, self)) {
                tap.read(plane, &mut row[tap.columns.clone()], self);
            }
        });
        View::new(patches, self.i(), columns)
    }

    /// Adds the patches of a chunk, `[i, columns]`, to the entries that they were read from. `patches` is overwritten.
    pub fn add_patches<R: Real>(&self, x: &mut [R], group: usize, chunk: &Chunk, patches: &mut [R]) {
        let columns = self.columns(chunk);
        self.for_each_tap(chunk, |tap| {
            let planes = x[self.planes(tap.sample, group)].chunks_exact_mut(self.plane());
            for (plane, row) in planes.zip(tap.rows_of(patches, columns, self)) {
                tap.add(&mut row[tap.columns.clone()], plane, self);
            }
        });
    }

    /// The cotangent dy of a chunk as `[o, columns]`: a view of `dy`, or gathered in `buffer` if there are several
    /// samples.
    pub fn cotangents<'b, R: Real>(
        &self,
        dy: &'b [R],
        group: usize,
        o: usize,
        chunk: &Chunk,
        buffer: &'b mut [R],
    ) -> View<'b, R> {
        let [columns, t] = [self.columns(chunk), self.t()];
        if chunk.samples.len() == 1 {
            return strided(&dy[self.channels(chunk.samples.start, group, o, chunk)..], o, columns, t);
        }
        let gathered = &mut buffer[..o * columns];
        for (k, sample) in chunk.samples.clone().enumerate() {
            let from = dy[self.channels(sample, group, o, chunk)..].chunks_exact(t);
            for (to, from) in gathered.chunks_exact_mut(columns).zip(from) {
                to[k * t..][..t].copy_from_slice(from);
            }
        }
        View::new(gathered, o, columns)
    }

    /// Calls `f` for every sample of a chunk and every entry of the kernel.
    fn for_each_tap(&self, chunk: &Chunk, mut f: impl FnMut(&Tap)) {
        let [kernel_h, kernel_w] = self.window.kernel;
        for (k, sample) in chunk.samples.clone().enumerate() {
            let per_sample = chunk.rows.len() * self.positions[1];
            for tap_h in 0..kernel_h {
                let (rows, _) = self.window.inside(0, tap_h, self.size[0], self.positions[0]);
                let rows = rows.start.clamp(chunk.rows.start, chunk.rows.end)..rows.end.min(chunk.rows.end);
                let line = (rows.start * self.window.stride[0] + tap_h * self.window.dilation[0])
                    .saturating_sub(self.window.padding[0][0]);
                for tap_w in 0..kernel_w {
                    let (cols, first_entry) = self.window.inside(1, tap_w, self.size[1], self.positions[1]);
                    f(&Tap {
                        sample,
                        first_row: tap_h * kernel_w + tap_w,
                        columns: k * per_sample..(k + 1) * per_sample,
                        rows: rows.start - chunk.rows.start..rows.end.max(rows.start) - chunk.rows.start,
                        line,
                        cols,
                        first_entry,
                    });
                }
            }
        }
    }

    /// True if a line of positions is as long as a line of x and the stride is 1. The patches of a plane are then
    /// shifted copies of the plane.
    fn shifted(&self) -> bool {
        self.window.stride == [1, 1] && self.positions[1] == self.size[1]
    }
}

/// One entry of the kernel at the positions of a chunk in one sample.
struct Tap {
    sample: usize,
    /// The row of this entry in the patch matrix, for the first channel.
    first_row: usize,
    /// The columns of the sample in the patch matrix.
    columns: Range<usize>,
    /// The lines of positions, counted in the chunk, that read lines of x.
    rows: Range<usize>,
    /// The line of x that the first of them reads.
    line: usize,
    /// The positions in a line that read entries of x.
    cols: Range<usize>,
    /// The entry of a line that the first of them reads.
    first_entry: usize,
}

impl Tap {
    /// The rows of this entry in the patch matrix, one per channel.
    fn rows_of<'b, R: Real>(
        &self,
        patches: &'b mut [R],
        columns: usize,
        conv: &Conv<'_>,
    ) -> impl Iterator<Item = &'b mut [R]> + use<'b, R> {
        let step = conv.window.kernel[0] * conv.window.kernel[1];
        patches.chunks_exact_mut(columns).skip(self.first_row).step_by(step)
    }

    /// For shifted patches: the positions that read entries of a plane, and the entry that the first of them reads.
    fn overlap(&self, conv: &Conv<'_>) -> (Range<usize>, usize) {
        let width = conv.positions[1];
        // The entry that the first position of the first line reads, if the plane continued to the left.
        let first = self.line * width + self.first_entry;
        let skipped = self.cols.start.saturating_sub(first);
        let begin = (first + skipped) - self.cols.start;
        let count = (self.rows.len() * width - skipped).min(conv.plane() - begin);
        let start = self.rows.start * width + skipped;
        (start..start + count, begin)
    }

    /// Writes zeros at positions that read padding, except in lines that are padding entirely.
    fn clear_margins<R: Real>(&self, patch: &mut [R], width: usize) {
        if self.cols.len() < width {
            let lines = &mut patch[self.rows.start * width..self.rows.end * width];
            // Column by column: a margin is one or two entries wide.
            for column in (0..self.cols.start).chain(self.cols.end..width) {
                lines[column..].iter_mut().step_by(width).for_each(|x| *x = R::default());
            }
        }
    }

    /// Reads the entries of `plane` into `patch`, with zeros for padding.
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
                let from = &plane[(self.line + k * conv.window.stride[0]) * conv.size[1] + self.first_entry..];
                match conv.window.stride[1] {
                    1 => to.copy_from_slice(&from[..to.len()]),
                    step => to.iter_mut().zip(from.iter().step_by(step)).for_each(|(to, &x)| *to = x),
                }
            }
        }
        self.clear_margins(patch, width);
    }

    /// Adds the entries of `patch` to the entries of `plane` that they were read from.
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
                let to = &mut plane[(self.line + k * conv.window.stride[0]) * conv.size[1] + self.first_entry..];
                match conv.window.stride[1] {
                    1 => to.iter_mut().zip(from).for_each(|(to, &p)| *to += p),
                    step => to.iter_mut().step_by(step).zip(from).for_each(|(to, &p)| *to += p),
                }
            }
        }
    }
}

/// A view of the first `rows` rows in `data`, with `cols` entries each and `stride` entries from row to row.
pub(super) fn strided<R: Real>(data: &[R], rows: usize, cols: usize, stride: usize) -> View<'_, R> {
    let end = if rows == 0 { 0 } else { (rows - 1) * stride + cols };
    View { data: &data[..end], rows, cols, stride, transposed: false }
}
