//! Convolutions and pools.

use super::{Reductions, Window};

/// The primitives that slide a [`Window`] over planes.
///
/// g are the groups of the window, t its positions, h' w' their numbers along height and width, and i = i' kh kw the
/// entries of a patch. Planes are padded with zeros.
pub trait Windows: Reductions {
    /// The patch at each position: from `x`, `[n, g i', h, w]`, to `[n, g, t, i]`.
    fn patches(&self, x: &Self::Tensor, window: &Window) -> Self::Tensor;
    /// The convolution `y[n,(g o),t] = sum over i of w[(g o),i] patch[n,g,t,i]`, of shape `[n, g o, h', w']`. `w` has
    /// g o rows of i entries, in any shape.
    fn convolve(&self, x: &Self::Tensor, w: &Self::Tensor, window: &Window) -> Self::Tensor;
    /// The adjoint of [`convolve`](Windows::convolve) in `x`, of shape `[n, g i', h, w]`, where `size` is `[h, w]`.
    fn convolve_input(&self, dy: &Self::Tensor, w: &Self::Tensor, window: &Window, size: [usize; 2]) -> Self::Tensor;
    /// The adjoint of [`convolve`](Windows::convolve) in `w` for every sample, and for s cotangents of each. With `dy`
    /// of shape `[n, s, g o, h', w']` it is `sum over t of dy[n,s,(g o),t] patch[n,g,t,i]`, of shape `[n, s, g o, i]`.
    fn convolve_weight(&self, x: &Self::Tensor, dy: &Self::Tensor, window: &Window) -> Self::Tensor;
    /// [`convolve_weight`](Windows::convolve_weight) summed over samples, `[1, s, g o, i]`.
    fn convolve_weight_sum(&self, x: &Self::Tensor, dy: &Self::Tensor, window: &Window) -> Self::Tensor {
        self.sum(&self.convolve_weight(x, dy, window), &[0])
    }
    /// The sum over the window at each position, channel by channel: `[n, i, h', w']`.
    fn window_sum(&self, x: &Self::Tensor, window: &Window) -> Self::Tensor;
    /// The adjoint of [`window_sum`](Windows::window_sum), where `size` is `[h, w]`.
    fn window_spread(&self, dy: &Self::Tensor, window: &Window, size: [usize; 2]) -> Self::Tensor;
    /// The place of the largest entry in the window at each position, `[n, i, h', w']`, counted over all entries of
    /// `x`. The first of equal entries is taken. NaN counts as the largest.
    fn window_argmax(&self, x: &Self::Tensor, window: &Window) -> Self::Index;
}
