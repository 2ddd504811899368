use super::{Chosen, Device, DeviceIndex, DeviceTensor, Handle, on};
use crate::backend::{Window, Windows};

impl Windows for Device {
    fn patches(&self, x: &DeviceTensor, window: &Window) -> DeviceTensor {
        on!(self, DeviceTensor, |arrays, handle| arrays.patches(handle!(x), window))
    }
    fn convolve(&self, x: &DeviceTensor, w: &DeviceTensor, window: &Window) -> DeviceTensor {
        on!(self, DeviceTensor, |arrays, handle| arrays.convolve(handle!(x), handle!(w), window))
    }
    fn convolve_input(&self, dy: &DeviceTensor, w: &DeviceTensor, window: &Window, size: [usize; 2]) -> DeviceTensor {
        on!(self, DeviceTensor, |arrays, handle| arrays.convolve_input(handle!(dy), handle!(w), window, size))
    }
    fn convolve_weight(&self, x: &DeviceTensor, dy: &DeviceTensor, window: &Window) -> DeviceTensor {
        on!(self, DeviceTensor, |arrays, handle| arrays.convolve_weight(handle!(x), handle!(dy), window))
    }
    fn convolve_weight_sum(&self, x: &DeviceTensor, dy: &DeviceTensor, window: &Window) -> DeviceTensor {
        on!(self, DeviceTensor, |arrays, handle| arrays.convolve_weight_sum(handle!(x), handle!(dy), window))
    }
    fn window_sum(&self, x: &DeviceTensor, window: &Window) -> DeviceTensor {
        on!(self, DeviceTensor, |arrays, handle| arrays.window_sum(handle!(x), window))
    }
    fn window_spread(&self, dy: &DeviceTensor, window: &Window, size: [usize; 2]) -> DeviceTensor {
        on!(self, DeviceTensor, |arrays, handle| arrays.window_spread(handle!(dy), window, size))
    }
    fn window_argmax(&self, x: &DeviceTensor, window: &Window) -> DeviceIndex {
        on!(self, DeviceIndex, |arrays, handle| arrays.window_argmax(handle!(x), window))
    }
}
