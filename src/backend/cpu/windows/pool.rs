//! Planes and the window's positions on them, channel by channel.

use crate::backend::Window;
use crate::real::Real;

/// An array `[n, i, h, w]` as planes of h x w, and the window's positions on them.
pub(super) struct Planes {
    pub size: [usize; 2],
    pub positions: [usize; 2],
    shape: Vec<usize>,
}

impl Planes {
    /// Planes of `size` for an array of `shape`, `[n, i, ...]`.
    pub fn new(shape: &[usize], size: [usize; 2], window: &Window) -> Self {
        let positions = window.positions(size).expect("the op's shape rule checked that the window fits");
        Planes { size, positions, shape: shape[..2].to_vec() }
    }

    pub fn count(&self) -> usize {
        self.shape[0] * self.shape[1]
    }

    /// The entries of a plane.
    pub fn input_entries(&self) -> usize {
        self.size[0] * self.size[1]
    }

    /// The positions on a plane.
    pub fn output_entries(&self) -> usize {
        self.positions[0] * self.positions[1]
    }

    pub fn shaped(&self, plane: [usize; 2]) -> Vec<usize> {
        [&self.shape[..], &plane].concat()
    }
}

/// A run of positions in one line, and the entries that they read through one entry of the window.
pub(super) struct LineTap {
    /// The first position.
    pub y: usize,
    /// The entry that it reads.
    pub x: usize,
    /// The number of positions.
    pub count: usize,
    /// The distance between the entries of two neighbouring positions.
    pub step: usize,
}

/// Calls `f` for every run of positions, for each entry of the window in scan order.
pub(super) fn for_each_tap(window: &Window, planes: &Planes, mut f: impl FnMut(LineTap)) {
    for tap_h in 0..window.kernel[0] {
        let (rows, first_line) = window.inside(0, tap_h, planes.size[0], planes.positions[0]);
        for tap_w in 0..window.kernel[1] {
            let (cols, first_entry) = window.inside(1, tap_w, planes.size[1], planes.positions[1]);
            if cols.is_empty() {
                continue;
            }
            for (k, row) in rows.clone().enumerate() {
                f(LineTap {
                    y: row * planes.positions[1] + cols.start,
                    x: (first_line + k * window.stride[0]) * planes.size[1] + first_entry,
                    count: cols.len(),
                    step: window.stride[1],
                });
            }
        }
    }
}

/// True if windows neither overlap nor leave gaps, as in most pools. If they are also a fixed number of entries wide,
/// they are summed and spread in loops that the compiler vectorises.
pub(super) fn side_by_side(window: &Window) -> bool {
    window.stride == window.kernel && window.dilation == [1, 1] && window.padding == [[0, 0], [0, 0]]
}

#[inline(always)]
pub(super) fn sum_lines<R: Real, const W: usize>(x: &[R], y: &mut [R], window: &Window, planes: &Planes) {
    let lines = x.chunks_exact(planes.size[1]).take(planes.positions[0] * window.kernel[0]);
    for (k, line) in lines.enumerate() {
        let to = &mut y[k / window.kernel[0] * planes.positions[1]..][..planes.positions[1]];
        for (to, x) in to.iter_mut().zip(line.as_chunks::<W>().0) {
            let mut sum = x[0];
            for &x in &x[1..] {
                sum += x;
            }
            *to += sum;
        }
    }
}

#[inline(always)]
pub(super) fn spread_lines<R: Real, const W: usize>(x: &mut [R], y: &[R], window: &Window, planes: &Planes) {
    let lines = x.chunks_exact_mut(planes.size[1]).take(planes.positions[0] * window.kernel[0]);
    for (k, line) in lines.enumerate() {
        let from = y[k / window.kernel[0] * planes.positions[1]..].iter().take(planes.positions[1]);
        line.as_chunks_mut::<W>().0.iter_mut().zip(from).for_each(|(to, &y)| *to = [y; W]);
    }
}
