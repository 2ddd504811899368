use super::{Count, Counted};
use crate::backend::{Window, Windows};
use crate::real::Real;
use crate::shape::numel;

impl<R: Real> Windows for Count<R> {
    fn patches(&self, x: &Counted, window: &Window) -> Counted {
        let [h, w] = positions(window, &x.shape[2..]);
        let i = x.shape[1] / window.groups * window.kernel[0] * window.kernel[1];
        self.result(vec![x.shape[0], window.groups, h * w, i], &[x])
    }
    fn convolve(&self, x: &Counted, w: &Counted, window: &Window) -> Counted {
        let [height, width] = positions(window, &x.shape[2..]);
        let multiplications = x.shape[0] * numel(&w.shape) * height * width;
        self.product(vec![x.shape[0], w.shape[0], height, width], &[x, w], multiplications)
    }
    fn convolve_input(&self, dy: &Counted, w: &Counted, window: &Window, size: [usize; 2]) -> Counted {
        let i = numel(&w.shape) / w.shape[0].max(1);
        let channels = i / (window.kernel[0] * window.kernel[1]) * window.groups;
        let multiplications = dy.shape[0] * numel(&w.shape) * numel(&dy.shape[2..]);
        self.product(vec![dy.shape[0], channels, size[0], size[1]], &[dy, w], multiplications)
    }
    fn convolve_weight(&self, x: &Counted, dy: &Counted, window: &Window) -> Counted {
        let i = x.shape[1] / window.groups * window.kernel[0] * window.kernel[1];
        self.product([&dy.shape[..3], &[i]].concat(), &[x, dy], numel(&dy.shape) * i)
    }
    fn convolve_weight_sum(&self, x: &Counted, dy: &Counted, window: &Window) -> Counted {
        let i = x.shape[1] / window.groups * window.kernel[0] * window.kernel[1];
        self.product([&[1], &dy.shape[1..3], &[i]].concat(), &[x, dy], numel(&dy.shape) * i)
    }
    fn window_sum(&self, x: &Counted, window: &Window) -> Counted {
        let plane = positions(window, &x.shape[2..]);
        self.result([&x.shape[..2], &plane].concat(), &[x])
    }
    fn window_spread(&self, dy: &Counted, _window: &Window, size: [usize; 2]) -> Counted {
        self.result([&dy.shape[..2], &size].concat(), &[dy])
    }
    fn window_argmax(&self, x: &Counted, window: &Window) -> Counted {
        self.window_sum(x, window)
    }
}

/// The positions of a window on planes of `size`.
fn positions(window: &Window, size: &[usize]) -> [usize; 2] {
    window.positions([size[0], size[1]]).expect("the op's shape rule checked that the window fits")
}
