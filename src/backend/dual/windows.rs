use super::{Dual, DualTensor};
use crate::backend::{Arrays, Window, Windows};

impl<B: Arrays> Windows for Dual<B> {
    fn patches(&self, x: &DualTensor<B>, window: &Window) -> DualTensor<B> {
        self.linear(x, |x| self.0.patches(x, window))
    }
    fn convolve(&self, x: &DualTensor<B>, w: &DualTensor<B>, window: &Window) -> DualTensor<B> {
        self.bilinear(x, w, |x, w| self.0.convolve(x, w, window))
    }
    fn convolve_input(
        &self,
        dy: &DualTensor<B>,
        w: &DualTensor<B>,
        window: &Window,
        size: [usize; 2],
    ) -> DualTensor<B> {
        self.bilinear(dy, w, |dy, w| self.0.convolve_input(dy, w, window, size))
    }
    fn convolve_weight(&self, x: &DualTensor<B>, dy: &DualTensor<B>, window: &Window) -> DualTensor<B> {
        self.bilinear(x, dy, |x, dy| self.0.convolve_weight(x, dy, window))
    }
    fn convolve_weight_sum(&self, x: &DualTensor<B>, dy: &DualTensor<B>, window: &Window) -> DualTensor<B> {
        self.bilinear(x, dy, |x, dy| self.0.convolve_weight_sum(x, dy, window))
    }
    fn window_sum(&self, x: &DualTensor<B>, window: &Window) -> DualTensor<B> {
        self.linear(x, |x| self.0.window_sum(x, window))
    }
    fn window_spread(&self, dy: &DualTensor<B>, window: &Window, size: [usize; 2]) -> DualTensor<B> {
        self.linear(dy, |dy| self.0.window_spread(dy, window, size))
    }
    fn window_argmax(&self, x: &DualTensor<B>, window: &Window) -> B::Index {
        self.0.window_argmax(&x.value, window)
    }
}
