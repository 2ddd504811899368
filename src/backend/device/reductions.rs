use super::{Chosen, Device, DeviceTensor, Handle, on};
use crate::backend::Reductions;

impl Reductions for Device {
    fn sum(&self, x: &DeviceTensor, axes: &[usize]) -> DeviceTensor {
        on!(self, DeviceTensor, |arrays, handle| arrays.sum(handle!(x), axes))
    }
    fn matmul(&self, x: &DeviceTensor, transpose_x: bool, y: &DeviceTensor, transpose_y: bool) -> DeviceTensor {
        on!(self, DeviceTensor, |arrays, handle| arrays.matmul(handle!(x), transpose_x, handle!(y), transpose_y))
    }
    fn softmax(&self, x: &DeviceTensor) -> DeviceTensor {
        on!(self, DeviceTensor, |arrays, handle| arrays.softmax(handle!(x)))
    }
    fn log_softmax(&self, x: &DeviceTensor) -> DeviceTensor {
        on!(self, DeviceTensor, |arrays, handle| arrays.log_softmax(handle!(x)))
    }
}
