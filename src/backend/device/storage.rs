use std::ops::Range;

use super::{Chosen, Device, DeviceIndex, DeviceTensor, Handle, on};
use crate::backend::Storage;
use crate::error::Result;

impl Storage for Device {
    type Number = f32;
    type Tensor = DeviceTensor;
    type Index = DeviceIndex;

    fn upload(&self, data: &[f32], shape: &[usize]) -> DeviceTensor {
        match &self.chosen {
            Chosen::Cpu(cpu) => DeviceTensor(Handle::Cpu(cpu.upload(data, shape))),
            #[cfg(feature = "gpu")]
            Chosen::Gpu(gpu) => DeviceTensor(Handle::Gpu(gpu.upload(data, shape))),
        }
    }
    fn read(&self, x: &DeviceTensor) -> Result<Vec<f32>> {
        match &self.chosen {
            Chosen::Cpu(cpu) => cpu.read(x.0.cpu()),
            #[cfg(feature = "gpu")]
            Chosen::Gpu(gpu) => gpu.read(x.0.gpu()),
        }
    }
    fn shape<'a>(&self, x: &'a DeviceTensor) -> &'a [usize] {
        match &self.chosen {
            Chosen::Cpu(cpu) => cpu.shape(x.0.cpu()),
            #[cfg(feature = "gpu")]
            Chosen::Gpu(gpu) => gpu.shape(x.0.gpu()),
        }
    }
    fn full(&self, value: f64, shape: &[usize]) -> DeviceTensor {
        match &self.chosen {
            Chosen::Cpu(cpu) => DeviceTensor(Handle::Cpu(cpu.full(value, shape))),
            #[cfg(feature = "gpu")]
            Chosen::Gpu(gpu) => DeviceTensor(Handle::Gpu(gpu.full(value, shape))),
        }
    }
    fn reshape(&self, x: &DeviceTensor, shape: &[usize]) -> DeviceTensor {
        on!(self, DeviceTensor, |arrays, handle| arrays.reshape(handle!(x), shape))
    }
    fn slice(&self, x: &DeviceTensor, axis: usize, range: Range<usize>) -> DeviceTensor {
        on!(self, DeviceTensor, |arrays, handle| arrays.slice(handle!(x), axis, range))
    }
    fn permute(&self, x: &DeviceTensor, order: &[usize]) -> DeviceTensor {
        on!(self, DeviceTensor, |arrays, handle| arrays.permute(handle!(x), order))
    }
    fn concat(&self, tensors: &[&DeviceTensor], axis: usize) -> DeviceTensor {
        on!(self, DeviceTensor, |arrays, handle| {
            arrays.concat(&tensors.iter().map(|x| handle!(x)).collect::<Vec<_>>(), axis)
        })
    }
}
