use super::{Chosen, Device, DeviceIndex, DeviceTensor, Handle, on};
use crate::backend::Indexing;

impl Indexing for Device {
    fn indices(&self, x: &DeviceTensor, rows: usize, apart: bool) -> DeviceIndex {
        on!(self, DeviceIndex, |arrays, handle| arrays.indices(handle!(x), rows, apart))
    }
    fn sort_order(&self, x: &DeviceTensor, descending: bool) -> DeviceTensor {
        on!(self, DeviceTensor, |arrays, handle| arrays.sort_order(handle!(x), descending))
    }
    fn gather(&self, x: &DeviceTensor, index: &DeviceIndex) -> DeviceTensor {
        on!(self, DeviceTensor, |arrays, handle| arrays.gather(handle!(x), handle!(index)))
    }
    fn scatter(&self, y: &DeviceTensor, index: &DeviceIndex, rows: usize) -> DeviceTensor {
        on!(self, DeviceTensor, |arrays, handle| arrays.scatter(handle!(y), handle!(index), rows))
    }
}
