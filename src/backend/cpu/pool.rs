//! Sums and maxima over windows, channel by channel.

use super::array::Array;
use super::index::Index;
use crate::backend::Window;
use crate::real::{Real, buffer_pool, vectorised};

/// \[n, i, h, w\] as planes of h x w, and the window's positions on them.
struct Planes {
    size: [usize; 2],
    positions: [usize; 2],
    shape: Vec<usize>,
}

impl Planes {
    fn of(shape: &[usize], size: [usize; 2], window: &Window) -> Self {
        let positions = window.positions(size).expect("the window fits, as the op's shape rule said");
        Planes { size, positions, shape: shape[..2].to_vec() }
    }

    fn count(&self) -> usize {
        self.shape[0] * self.shape[1]
    }

    fn shaped(&self, plane: [usize; 2]) -> Vec<usize> {
        [&self.shape[..], &plane].concat()
    }
}

/// Calls `f` for every run of positions, entry by entry of the window in scan order.
fn taps(window: &Window, planes: &Planes, mut f: impl FnMut(Tap)) {
    for tap_h in 0..window.kernel[0] {
        let (rows, from) = window.inside(0, tap_h, planes.size[0], planes.positions[0]);
        for tap_w in 0..window.kernel[1] {
            let (cols, at) = window.inside(1, tap_w, planes.size[1], planes.positions[1]);
            if cols.is_empty() {
                continue;
            }
            for (k, row) in rows.clone().enumerate() {
                f(Tap {
                    y: row * planes.positions[1] + cols.start,
                    x: (from + k * window.stride[0]) * planes.size[1] + at,
                    count: cols.len(),
                    step: window.stride[1],
                });
            }
        }
    }
}

/// A run of positions in one row, and the entries that they look at through one entry of the window.
struct Tap {
    y: usize,
    x: usize,
    count: usize,
    step: usize,
}

/// Windows that lie side by side, a fixed number of entries wide, are summed and spread in loops that the compiler
/// vectorises: most pools are such.
fn side_by_side(window: &Window) -> bool {
    window.stride == window.kernel && window.dilation == [1, 1] && window.padding == [[0, 0], [0, 0]]
}

pub(super) fn window_sum<R: Real>(x: &Array<R>, window: &Window) -> Array<R> {
    let planes = Planes::of(x.shape(), [x.shape()[2], x.shape()[3]], window);
    let (plane_x, plane_y) = (planes.size[0] * planes.size[1], planes.positions[0] * planes.positions[1]);
    let mut out = buffer_pool::zeros(planes.count() * plane_y);
    for (x, y) in x.as_slice().chunks_exact(plane_x.max(1)).zip(out.chunks_exact_mut(plane_y)) {
        match window.kernel[1] {
            2 if side_by_side(window) => vectorised(|| sum_lines::<R, 2>(x, y, window, &planes)),
            3 if side_by_side(window) => vectorised(|| sum_lines::<R, 3>(x, y, window, &planes)),
            _ => taps(window, &planes, |tap| {
                let from = x[tap.x..].iter().step_by(tap.step);
                y[tap.y..][..tap.count].iter_mut().zip(from).for_each(|(to, &x)| *to += x);
            }),
        }
    }
    Array::new(out, planes.shaped(planes.positions))
}

#[inline(always)]
fn sum_lines<R: Real, const W: usize>(x: &[R], y: &mut [R], window: &Window, planes: &Planes) {
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

pub(super) fn window_spread<R: Real>(dy: &Array<R>, window: &Window, size: [usize; 2]) -> Array<R> {
    let planes = Planes::of(dy.shape(), size, window);
    let (plane_x, plane_y) = (size[0] * size[1], planes.positions[0] * planes.positions[1]);
    let mut out = buffer_pool::zeros(planes.count() * plane_x);
    for (x, y) in out.chunks_exact_mut(plane_x.max(1)).zip(dy.as_slice().chunks_exact(plane_y)) {
        match window.kernel[1] {
            2 if side_by_side(window) => vectorised(|| spread_lines::<R, 2>(x, y, window, &planes)),
            3 if side_by_side(window) => vectorised(|| spread_lines::<R, 3>(x, y, window, &planes)),
            _ => taps(window, &planes, |tap| {
                let to = x[tap.x..].iter_mut().step_by(tap.step);
                to.zip(&y[tap.y..][..tap.count]).for_each(|(to, &y)| *to += y);
            }),
        }
    }
    Array::new(out, planes.shaped(size))
}

#[inline(always)]
fn spread_lines<R: Real, const W: usize>(x: &mut [R], y: &[R], window: &Window, planes: &Planes) {
    let lines = x.chunks_exact_mut(planes.size[1]).take(planes.positions[0] * window.kernel[0]);
    for (k, line) in lines.enumerate() {
        let from = y[k / window.kernel[0] * planes.positions[1]..].iter().take(planes.positions[1]);
        line.as_chunks_mut::<W>().0.iter_mut().zip(from).for_each(|(to, &y)| *to = [y; W]);
    }
}

pub(super) fn window_argmax<R: Real>(x: &Array<R>, window: &Window) -> Index {
    let planes = Planes::of(x.shape(), [x.shape()[2], x.shape()[3]], window);
    let (plane_x, plane_y) = (planes.size[0] * planes.size[1], planes.positions[0] * planes.positions[1]);
    let mut out = vec![usize::MAX; planes.count() * plane_y];
    for (plane, (x, best)) in x.as_slice().chunks_exact(plane_x.max(1)).zip(out.chunks_exact_mut(plane_y)).enumerate() {
        let first = plane * plane_x;
        taps(window, &planes, |tap| {
            for k in 0..tap.count {
                let (at, best) = (tap.x + k * tap.step, &mut best[tap.y + k]);
                let (old, new) = (*best, x[at]);
                // Of equal ones the first stays; a NaN is taken, and stays.
                let larger = old == usize::MAX || !(new <= x[old - first] || x[old - first].f64().is_nan());
                if larger {
                    *best = first + at;
                }
            }
        });
    }
    Index::new(out, planes.shaped(planes.positions))
}
