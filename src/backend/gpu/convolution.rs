//! Convolutions by patches and products, and sums over windows.
//!
//! Patches are made for some samples at a time, so that they take bounded memory.

use super::kernels::{self, Kernel};
use super::tensor::Origin;
use super::{Gpu, Index, Launch, TOUCH, Tensor, groups, word};
use crate::backend::{Arrays, Window};
use crate::shape::numel;

/// Patches have about so many entries at a time.
const PATCH_ENTRIES: usize = 1 << 24;

/// The planes that a window slides over.
pub(super) struct Planes<'a> {
    pub window: &'a Window,
    /// n, and all channels.
    pub samples: usize,
    pub channels: usize,
    pub size: [usize; 2],
    pub positions: [usize; 2],
}

impl<'a> Planes<'a> {
    /// Of x\[n, channels, height, width\].
    pub fn of(shape: &[usize], window: &'a Window) -> Self {
        Planes::sized(shape, [shape[2], shape[3]], window)
    }

    /// Of the planes of `size` that a result of shape \[n, channels, ...\] is of.
    pub fn sized(shape: &[usize], size: [usize; 2], window: &'a Window) -> Self {
        let positions = window.positions(size).expect("a window that fits was checked when it was recorded");
        Planes { window, samples: shape[0], channels: shape[1], size, positions }
    }

    fn positions(&self) -> usize {
        self.positions[0] * self.positions[1]
    }

    /// Entries of a patch.
    fn features(&self) -> usize {
        self.channels / self.window.groups * self.window.kernel[0] * self.window.kernel[1]
    }

    /// What window.wgsl reads.
    pub fn words(&self, entries: usize) -> Vec<u32> {
        let Window { kernel, stride, dilation, padding, groups } = *self.window;
        let before = [padding[0][0], padding[1][0]];
        let pairs = [self.size, self.positions, kernel, stride, dilation, before];
        let list = [entries, self.channels / groups, groups].into_iter().chain(pairs.into_iter().flatten());
        list.map(word).collect()
    }

    /// Samples whose patches are made at a time.
    fn step(&self) -> usize {
        let patches = self.window.groups * self.positions() * self.features();
        (PATCH_ENTRIES / patches.max(1)).clamp(1, self.samples.max(1))
    }
}

impl Gpu {
    /// The weight of a convolution, \[g, o, i\]; of one group \[o, i\], so that products know that it is one for all samples.
    fn by_group(&self, w: &Tensor, window: &Window) -> Tensor {
        let (outputs, features) = (w.shape[0], numel(&w.shape[1..]));
        match window.groups {
            1 => self.reshape(w, &[outputs, features]),
            groups => self.reshape(w, &[groups, outputs / groups, features]),
        }
    }

    fn by_window(
        &self,
        kernel: &Kernel,
        inputs: &[&super::Storage],
        shape: &[usize],
        planes: &Planes<'_>,
        taps: usize,
    ) -> Tensor {
        let entries = numel(shape);
        self.launch(Launch {
            kernel,
            inputs,
            shape,
            words: &planes.words(entries),
            groups: groups(entries),
            work: 1024.0 * TOUCH * (1 + taps) as f64,
        })
    }

    pub(super) fn patches_of(&self, x: &Tensor, window: &Window) -> Tensor {
        let planes = Planes::of(&x.shape, window);
        let shape = [planes.samples, window.groups, planes.positions(), planes.features()];
        self.by_window(&kernels::PATCHES, &[&x.storage], &shape, &planes, 1)
    }

    /// Results for some samples at a time, one after another.
    fn in_steps(&self, planes: &Planes<'_>, some: impl Fn(std::ops::Range<usize>) -> Tensor) -> Tensor {
        let parts: Vec<Tensor> = crate::shape::blocks(planes.samples, planes.step()).into_iter().map(&some).collect();
        match &parts[..] {
            [] => some(0..0),
            [one] => one.clone(),
            _ => self.concat(&parts.iter().collect::<Vec<_>>(), 0),
        }
    }

    pub(super) fn convolved(&self, x: &Tensor, w: &Tensor, window: &Window) -> Tensor {
        let planes = Planes::of(&x.shape, window);
        let outputs = w.shape[0];
        let w = self.by_group(w, window);
        self.in_steps(&planes, |range| {
            let n = range.len();
            let patches = self.patches_of(&self.sliced(x, 0, range), window);
            let y = self.product(&patches, false, &w, true); // [n,g,t,o], of one group [n,1,t,o]
            let y = self.reshape(&y, &[n, window.groups, planes.positions(), outputs / window.groups]);
            self.reshape(&self.permuted(&y, &[0, 1, 3, 2]), &[n, outputs, planes.positions[0], planes.positions[1]])
        })
    }

    pub(super) fn input_of_convolved(&self, dy: &Tensor, w: &Tensor, window: &Window, size: [usize; 2]) -> Tensor {
        let outputs = w.shape[0];
        let taps = window.kernel[0] * window.kernel[1];
        let features = numel(&w.shape[1..]);
        let shape = [dy.shape[0], features / taps * window.groups];
        let planes = Planes::sized(&shape, size, window);
        let w = self.by_group(w, window);
        self.in_steps(&planes, |range| {
            let n = range.len();
            let dy = self.sliced(dy, 0, range);
            let dy = self.reshape(&dy, &[n, window.groups, outputs / window.groups, planes.positions()]);
            let columns = self.product(&self.permuted(&dy, &[0, 1, 3, 2]), false, &w, false); // [n,g,t,i]
            self.by_window(&kernels::FOLD, &[&columns.storage], &[n, planes.channels, size[0], size[1]], &planes, taps)
        })
    }

    pub(super) fn weights_of_convolved(&self, x: &Tensor, dy: &Tensor, window: &Window) -> Tensor {
        let planes = Planes::of(&x.shape, window);
        let (seeds, outputs, g) = (dy.shape[1], dy.shape[2], window.groups);
        self.in_steps(&planes, |range| {
            let n = range.len();
            let dy = self.reshape(&self.sliced(dy, 0, range.clone()), &[n, seeds, g, outputs / g, planes.positions()]);
            let patches = self.patches_of(&self.sliced(x, 0, range), window);
            let patches = self.reshape(&patches, &[n, 1, g, planes.positions(), planes.features()]);
            let rows = self.product(&dy, false, &patches, false);
            self.reshape(&rows, &[n, seeds, outputs, planes.features()])
        })
    }

    /// Samples become positions, over which one product sums.
    pub(super) fn weight_of_convolved(&self, x: &Tensor, dy: &Tensor, window: &Window) -> Tensor {
        let planes = Planes::of(&x.shape, window);
        let (seeds, outputs, g) = (dy.shape[1], dy.shape[2], window.groups);
        let (t, features) = (planes.positions(), planes.features());
        let some = |range: std::ops::Range<usize>| {
            let n = range.len();
            let dy = self.reshape(&self.sliced(dy, 0, range.clone()), &[n, seeds, g, outputs / g, t]);
            let dy = self.reshape(&self.permuted(&dy, &[1, 2, 3, 0, 4]), &[seeds, g, outputs / g, n * t]);
            let patches = self.permuted(&self.patches_of(&self.sliced(x, 0, range), window), &[1, 0, 2, 3]);
            let sum = self.product(&dy, false, &self.reshape(&patches, &[g, n * t, features]), false);
            self.reshape(&sum, &[1, seeds, outputs, features])
        };
        let parts = crate::shape::blocks(planes.samples, planes.step()).into_iter().map(some);
        let sum = parts.reduce(|sum, part| self.zipped(&kernels::ADD, &sum, &part));
        sum.unwrap_or_else(|| self.filled(0.0, &[1, seeds, outputs, features]))
    }

    pub(super) fn window_summed(&self, x: &Tensor, window: &Window) -> Tensor {
        if let Some([rows, columns]) = along_both(window) {
            return self.window_summed(&self.window_summed(x, &rows), &columns);
        }
        let planes = Planes::of(&x.shape, window);
        let shape = [x.shape[0], x.shape[1], planes.positions[0], planes.positions[1]];
        let taps = window.kernel[0] * window.kernel[1];
        self.by_window(&kernels::WINDOW_SUM, &[&x.storage], &shape, &planes, taps)
    }

    pub(super) fn window_spread_of(&self, dy: &Tensor, window: &Window, size: [usize; 2]) -> Tensor {
        if let Some([rows, columns]) = along_both(window) {
            let high = dy.shape[2];
            return self.window_spread_of(&self.window_spread_of(dy, &columns, [high, size[1]]), &rows, size);
        }
        let planes = Planes::sized(&dy.shape, size, window);
        let shape = [dy.shape[0], dy.shape[1], size[0], size[1]];
        let taps = window.kernel[0] * window.kernel[1];
        self.by_window(&kernels::WINDOW_SPREAD, &[&dy.storage], &shape, &planes, taps)
    }

    pub(super) fn largest(&self, x: &Tensor, window: &Window) -> Index {
        let planes = Planes::of(&x.shape, window);
        let shape = [x.shape[0], x.shape[1], planes.positions[0], planes.positions[1]];
        let taps = window.kernel[0] * window.kernel[1];
        let Tensor { shape, storage } = self.by_window(&kernels::WINDOW_ARGMAX, &[&x.storage], &shape, &planes, taps);
        let of = [x.shape[0], x.shape[1], x.shape[2], x.shape[3]];
        Index { shape, storage, origin: Origin::Largest(*window, of) }
    }

    /// The adjoint of gathering what [`largest`](Gpu::largest) found: x of the shape `of`, as rows of one entry.
    pub(super) fn scattered_to_largest(&self, y: &Tensor, index: &Index, window: &Window, of: [usize; 4]) -> Tensor {
        let planes = Planes::of(&of, window);
        let taps = window.kernel[0] * window.kernel[1];
        let inputs = [&y.storage, &index.storage];
        self.by_window(&kernels::WINDOW_SCATTER, &inputs, &[numel(&of), 1], &planes, 2 * taps)
    }
}

/// Windows of more entries than this are summed along one axis after the other: that is less work, and no invocation is
/// busy for long.
const LARGE_WINDOW: usize = 256;

/// A large window as one along the height and one along the width.
fn along_both(window: &Window) -> Option<[Window; 2]> {
    let [high, wide] = window.kernel;
    if high * wide <= LARGE_WINDOW || high == 1 || wide == 1 {
        return None;
    }
    let along = |axis: usize| {
        let mut own = Window { groups: window.groups, ..Window::new([1, 1]) };
        own.kernel[axis] = window.kernel[axis];
        own.stride[axis] = window.stride[axis];
        own.dilation[axis] = window.dilation[axis];
        own.padding[axis] = window.padding[axis];
        own
    };
    Some([along(0), along(1)])
}
