//! Convolutions by patches and products, and pools.
//!
//! Patches are made for some samples at a time, so that they take bounded memory.

use std::ops::Range;

use super::kernels::{self, Kernel};
use super::launch::{Launch, TOUCH, groups, param};
use super::tensor::{Allocation, Origin};
use super::{Gpu, Index, Tensor};
use crate::backend::{Pointwise, Reductions, Storage, Window, Windows};
use crate::shape::{blocks, numel};

/// The preferred number of entries of the patches that exist at a time.
const PATCH_ENTRIES: usize = 1 << 24;

/// The number of entries above which a window is summed along one axis after the other. That is less work, and no
/// invocation runs for long.
const LARGE_WINDOW: usize = 256;

impl Windows for Gpu {
    fn patches(&self, x: &Tensor, window: &Window) -> Tensor {
        let planes = Planes::for_input(&x.shape, window);
        let shape = [planes.samples, window.groups, planes.positions(), planes.features()];
        self.by_window(&kernels::PATCHES, &[&x.allocation], &shape, &planes, 1)
    }

    fn convolve(&self, x: &Tensor, w: &Tensor, window: &Window) -> Tensor {
        let planes = Planes::for_input(&x.shape, window);
        let outputs = w.shape[0];
        let w = self.weight_by_group(w, window);
        self.in_steps(&planes, |range| {
            let n = range.len();
            let patches = self.patches(&self.slice(x, 0, range), window);
            let y = self.matmul(&patches, false, &w, true); // [n,g,t,o], or [n,1,t,o] with one group
            let y = self.reshape(&y, &[n, window.groups, planes.positions(), outputs / window.groups]);
            self.reshape(&self.permute(&y, &[0, 1, 3, 2]), &[n, outputs, planes.positions[0], planes.positions[1]])
        })
    }

    fn convolve_input(&self, dy: &Tensor, w: &Tensor, window: &Window, size: [usize; 2]) -> Tensor {
        let outputs = w.shape[0];
        let taps = window.kernel[0] * window.kernel[1];
        let features = numel(&w.shape[1..]);
        let shape = [dy.shape[0], features / taps * window.groups];
        let planes = Planes::new(&shape, size, window);
        let w = self.weight_by_group(w, window);
        self.in_steps(&planes, |range| {
            let n = range.len();
            let dy = self.slice(dy, 0, range);
            let dy = self.reshape(&dy, &[n, window.groups, outputs / window.groups, planes.positions()]);
            let columns = self.matmul(&self.permute(&dy, &[0, 1, 3, 2]), false, &w, false); // [n,g,t,i]
            let shape = [n, planes.channels, size[0], size[1]];
            self.by_window(&kernels::FOLD, &[&columns.allocation], &shape, &planes, taps)
        })
    }

    fn convolve_weight(&self, x: &Tensor, dy: &Tensor, window: &Window) -> Tensor {
        let planes = Planes::for_input(&x.shape, window);
        let [seeds, outputs, g] = [dy.shape[1], dy.shape[2], window.groups];
        self.in_steps(&planes, |range| {
            let n = range.len();
            let dy = self.reshape(&self.slice(dy, 0, range.clone()), &[n, seeds, g, outputs / g, planes.positions()]);
            let patches = self.patches(&self.slice(x, 0, range), window);
            let patches = self.reshape(&patches, &[n, 1, g, planes.positions(), planes.features()]);
            let rows = self.matmul(&dy, false, &patches, false);
            self.reshape(&rows, &[n, seeds, outputs, planes.features()])
        })
    }

    /// Samples become positions, and one product sums over both.
    fn convolve_weight_sum(&self, x: &Tensor, dy: &Tensor, window: &Window) -> Tensor {
        let planes = Planes::for_input(&x.shape, window);
        let [seeds, outputs, g] = [dy.shape[1], dy.shape[2], window.groups];
        let [t, features] = [planes.positions(), planes.features()];
        let part = |range: Range<usize>| {
            let n = range.len();
            let dy = self.reshape(&self.slice(dy, 0, range.clone()), &[n, seeds, g, outputs / g, t]);
            let dy = self.reshape(&self.permute(&dy, &[1, 2, 3, 0, 4]), &[seeds, g, outputs / g, n * t]);
            let patches = self.permute(&self.patches(&self.slice(x, 0, range), window), &[1, 0, 2, 3]);
            let sum = self.matmul(&dy, false, &self.reshape(&patches, &[g, n * t, features]), false);
            self.reshape(&sum, &[1, seeds, outputs, features])
        };
        let parts = blocks(planes.samples, planes.samples_at_a_time()).into_iter().map(part);
        let sum = parts.reduce(|sum, part| self.add(&sum, &part));
        sum.unwrap_or_else(|| self.full(0.0, &[1, seeds, outputs, features]))
    }

    fn window_sum(&self, x: &Tensor, window: &Window) -> Tensor {
        if let Some([rows, columns]) = separated(window) {
            return self.window_sum(&self.window_sum(x, &rows), &columns);
        }
        let planes = Planes::for_input(&x.shape, window);
        let shape = [x.shape[0], x.shape[1], planes.positions[0], planes.positions[1]];
        let taps = window.kernel[0] * window.kernel[1];
        self.by_window(&kernels::WINDOW_SUM, &[&x.allocation], &shape, &planes, taps)
    }

    fn window_spread(&self, dy: &Tensor, window: &Window, size: [usize; 2]) -> Tensor {
        if let Some([rows, columns]) = separated(window) {
            let high = dy.shape[2];
            return self.window_spread(&self.window_spread(dy, &columns, [high, size[1]]), &rows, size);
        }
        let planes = Planes::new(&dy.shape, size, window);
        let shape = [dy.shape[0], dy.shape[1], size[0], size[1]];
        let taps = window.kernel[0] * window.kernel[1];
        self.by_window(&kernels::WINDOW_SPREAD, &[&dy.allocation], &shape, &planes, taps)
    }

    fn window_argmax(&self, x: &Tensor, window: &Window) -> Index {
        let planes = Planes::for_input(&x.shape, window);
        let shape = [x.shape[0], x.shape[1], planes.positions[0], planes.positions[1]];
        let taps = window.kernel[0] * window.kernel[1];
        let Tensor { shape, allocation } =
            self.by_window(&kernels::WINDOW_ARGMAX, &[&x.allocation], &shape, &planes, taps);
        let origin = Origin::Argmax { window: *window, planes: [x.shape[0], x.shape[1], x.shape[2], x.shape[3]] };
        Index { shape, allocation, origin }
    }
}

impl Gpu {
    /// The weight of a convolution, `[g, o, i]`. With one group it is `[o, i]`: one right operand for all samples.
    fn weight_by_group(&self, w: &Tensor, window: &Window) -> Tensor {
        let [outputs, features] = [w.shape[0], numel(&w.shape[1..])];
        match window.groups {
            1 => self.reshape(w, &[outputs, features]),
            groups => self.reshape(w, &[groups, outputs / groups, features]),
        }
    }

    /// Runs a kernel that reads `taps` entries per entry of the result, through the window.
    fn by_window(
        &self,
        kernel: &Kernel,
        inputs: &[&Allocation],
        shape: &[usize],
        planes: &Planes<'_>,
        taps: usize,
    ) -> Tensor {
        let entries = numel(shape);
        self.launch(Launch {
            kernel,
            inputs,
            shape,
            params: &planes.params(entries),
            groups: groups(entries),
            work: 1024.0 * TOUCH * (1 + taps) as f64,
        })
    }

    /// Computes the result for some samples at a time, and joins the parts.
    fn in_steps(&self, planes: &Planes<'_>, part: impl Fn(Range<usize>) -> Tensor) -> Tensor {
        let ranges = blocks(planes.samples, planes.samples_at_a_time());
        let parts: Vec<Tensor> = ranges.into_iter().map(&part).collect();
        match &parts[..] {
            [] => part(0..0),
            [single] => single.clone(),
            _ => self.concat(&parts.iter().collect::<Vec<_>>(), 0),
        }
    }

    /// The adjoint of gathering the maxima of [`window_argmax`](Windows::window_argmax). `planes` is the shape of the
    /// array that was searched. The result has one entry per row.
    pub(super) fn scatter_to_maxima(&self, y: &Tensor, index: &Index, window: &Window, planes: [usize; 4]) -> Tensor {
        let taps = window.kernel[0] * window.kernel[1];
        let inputs = [&y.allocation, &index.allocation];
        let shape = [numel(&planes), 1];
        self.by_window(&kernels::WINDOW_SCATTER, &inputs, &shape, &Planes::for_input(&planes, window), 2 * taps)
    }
}

/// The planes that a window slides over.
struct Planes<'a> {
    window: &'a Window,
    samples: usize,
    /// The channels of all groups.
    channels: usize,
    size: [usize; 2],
    positions: [usize; 2],
}

impl<'a> Planes<'a> {
    /// The planes of an input of `shape`, `[n, channels, height, width]`.
    fn for_input(shape: &[usize], window: &'a Window) -> Self {
        Planes::new(shape, [shape[2], shape[3]], window)
    }

    /// The planes of `size`, for an array of `shape`, `[n, channels, ...]`.
    fn new(shape: &[usize], size: [usize; 2], window: &'a Window) -> Self {
        let positions = window.positions(size).expect("the op's shape rule checked that the window fits");
        Planes { window, samples: shape[0], channels: shape[1], size, positions }
    }

    fn positions(&self) -> usize {
        self.positions[0] * self.positions[1]
    }

    /// The number of entries of a patch.
    fn features(&self) -> usize {
        self.channels / self.window.groups * self.window.kernel[0] * self.window.kernel[1]
    }

    /// The params that window.wgsl reads.
    fn params(&self, entries: usize) -> Vec<u32> {
        let Window { kernel, stride, dilation, padding, groups } = *self.window;
        let before = [padding[0][0], padding[1][0]];
        let pairs = [self.size, self.positions, kernel, stride, dilation, before];
        let params = [entries, self.channels / groups, groups].into_iter().chain(pairs.into_iter().flatten());
        params.map(param).collect()
    }

    /// The number of samples whose patches exist at a time.
    fn samples_at_a_time(&self) -> usize {
        let patches = self.window.groups * self.positions() * self.features();
        (PATCH_ENTRIES / patches.max(1)).clamp(1, self.samples.max(1))
    }
}

/// A large window as a window along the height and a window along the width. `None` for a small window.
fn separated(window: &Window) -> Option<[Window; 2]> {
    let [high, wide] = window.kernel;
    if high * wide <= LARGE_WINDOW || high == 1 || wide == 1 {
        return None;
    }
    Some([0, 1].map(|axis| along(window, axis)))
}

/// The window along one axis. It has one entry along the other.
fn along(window: &Window, axis: usize) -> Window {
    let mut line = Window { groups: window.groups, ..Window::new([1, 1]) };
    line.kernel[axis] = window.kernel[axis];
    line.stride[axis] = window.stride[axis];
    line.dilation[axis] = window.dilation[axis];
    line.padding[axis] = window.padding[axis];
    line
}
