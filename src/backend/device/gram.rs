use super::{Chosen, Device, DeviceTensor, GpuBlock, Handle};
#[cfg(feature = "gpu")]
use crate::backend::gpu;
use crate::backend::{ContractionPlan, Gram, Helpers, Panels, Rates, RightPanel, TileConfig, cpu};
use crate::error::Result;

/// Memory that a worker on a [`Device`] keeps.
#[derive(Default)]
pub struct DeviceScratch(cpu::Scratch<f32>);

/// A packed block of samples on a [`Device`].
#[derive(Default)]
pub struct DeviceBlock(Option<Handle<cpu::Block<f32>, GpuBlock>>);

impl Gram for Device {
    type Scratch = DeviceScratch;
    type Packed = DeviceBlock;

    fn name(&self) -> String {
        match &self.chosen {
            Chosen::Cpu(cpu) => cpu.name(),
            #[cfg(feature = "gpu")]
            Chosen::Gpu(gpu) => {
                let names: Vec<String> = std::iter::once(gpu).chain(&self.others).map(Gram::name).collect();
                names.join(" and ")
            }
        }
    }

    /// With several GPUs, the configuration of the one with the smallest arrays. It suits them all.
    fn tile_config(&self) -> TileConfig {
        match &self.chosen {
            Chosen::Cpu(cpu) => cpu.tile_config(),
            #[cfg(feature = "gpu")]
            Chosen::Gpu(gpu) => self.others.iter().map(Gram::tile_config).fold(gpu.tile_config(), smaller_arrays),
        }
    }

    fn rates(&self) -> Rates {
        match &self.chosen {
            Chosen::Cpu(cpu) => cpu.rates(),
            #[cfg(feature = "gpu")]
            Chosen::Gpu(gpu) => gpu.rates(),
        }
    }

    fn helpers(&self) -> Helpers<Self> {
        #[cfg(feature = "gpu")]
        if self.with_fallback {
            let others = self.others.iter().cloned().map(Device::from).collect();
            return Helpers { others, last: Some(Device::cpu()) };
        }
        Helpers { others: Vec::new(), last: None }
    }

    fn pack(
        &self,
        contraction_plan: &ContractionPlan,
        parts: &[Panels<DeviceTensor>],
        packed: &mut DeviceBlock,
    ) -> Result<()> {
        match &self.chosen {
            Chosen::Cpu(cpu) => {
                let parts: Vec<_> = parts.iter().map(|part| unwrapped(part, |x| x.0.cpu().clone())).collect();
                let mut block = match packed.0.take() {
                    Some(Handle::Cpu(block)) => block,
                    _ => cpu::Block::default(),
                };
                cpu.pack(contraction_plan, &parts, &mut block)?;
                packed.0 = Some(Handle::Cpu(block));
            }
            #[cfg(feature = "gpu")]
            Chosen::Gpu(gpu) => {
                let parts: Vec<_> = parts.iter().map(|part| unwrapped(part, |x| x.0.gpu().clone())).collect();
                let mut block = gpu::Block::default();
                gpu.pack(contraction_plan, &parts, &mut block)?;
                packed.0 = Some(Handle::Gpu(block));
            }
        }
        Ok(())
    }

    fn tile(
        &self,
        contraction_plan: &ContractionPlan,
        rows: &DeviceBlock,
        cols: &DeviceBlock,
        scratch: &mut DeviceScratch,
        out: &mut [f32],
    ) -> Result<()> {
        let [rows, cols] = [rows, cols].map(|block| block.0.as_ref().expect("a block is packed before its tiles"));
        match &self.chosen {
            Chosen::Cpu(cpu) => cpu.tile(contraction_plan, rows.cpu(), cols.cpu(), &mut scratch.0, out),
            #[cfg(feature = "gpu")]
            Chosen::Gpu(gpu) => gpu.tile(contraction_plan, rows.gpu(), cols.gpu(), &mut (), out),
        }
    }
}

#[cfg(feature = "gpu")]
fn smaller_arrays(first: TileConfig, second: TileConfig) -> TileConfig {
    if second.array_bytes < first.array_bytes { second } else { first }
}

fn unwrapped<T>(panels: &Panels<DeviceTensor>, take: impl Fn(&DeviceTensor) -> T) -> Panels<T> {
    let right = |right: &RightPanel<DeviceTensor>| match right.array() {
        Some(array) => RightPanel::Array(take(array)),
        None => RightPanel::OneHot,
    };
    Panels {
        samples: panels.samples,
        lefts: panels.lefts.iter().map(&take).collect(),
        rights: panels.rights.iter().map(right).collect(),
    }
}
