//! The graphics devices of a machine.

use std::fmt;

use crate::error::{Error, Result};

/// A graphics device that this machine has.
///
/// One device may be there under several systems (Vulkan, Metal, DirectX 12): it is listed once.
#[derive(Clone, Debug)]
pub struct Adapter {
    pub(super) inner: wgpu::Adapter,
    info: wgpu::AdapterInfo,
}

/// What kernels take at least: what WebGPU promises of every device.
const LEAST: [(&str, u64); 5] = [
    ("invocations in a workgroup", 256),
    ("bytes of memory of a workgroup", 16_384),
    ("arrays in a kernel", 5),
    ("bytes of an array", 64 << 10),
    ("bytes of uniform numbers", 16_384),
];

impl Adapter {
    /// All graphics devices, the fastest kind first: discrete ones, then integrated ones, then those that are software.
    /// Empty where there are none, or no driver for them.
    ///
    /// Environment variables of `wgpu` narrow the list: `WGPU_BACKEND` (`vulkan`, `metal` or `dx12`).
    pub fn all() -> Vec<Adapter> {
        let instance = wgpu::Instance::new(wgpu::InstanceDescriptor::new_without_display_handle_from_env());
        let found = pollster::block_on(instance.enumerate_adapters(wgpu::Backends::all()));
        let mut list: Vec<Adapter> = found.into_iter().map(|inner| Adapter { info: inner.get_info(), inner }).collect();
        list.sort_by_key(Adapter::rank);
        let mut seen: Vec<String> = Vec::new();
        // The same name under the same system is another device; under another system it is the same one.
        list.retain(|adapter| {
            let again = seen.iter().any(|key| *key == adapter.elsewhere());
            if !again {
                seen.extend(adapter.keys_elsewhere());
            }
            !again
        });
        list
    }

    /// The device's name, such as `NVIDIA H100 PCIe`.
    pub fn name(&self) -> &str {
        &self.info.name
    }

    /// `discrete`, `integrated`, `virtual`, `software` or `other`.
    pub fn kind(&self) -> &'static str {
        match self.info.device_type {
            wgpu::DeviceType::DiscreteGpu => "discrete",
            wgpu::DeviceType::IntegratedGpu => "integrated",
            wgpu::DeviceType::VirtualGpu => "virtual",
            wgpu::DeviceType::Cpu => "software",
            wgpu::DeviceType::Other => "other",
        }
    }

    /// Is it a program that runs on the CPU?
    pub fn is_software(&self) -> bool {
        self.info.device_type == wgpu::DeviceType::Cpu
    }

    /// Does [`Device::all`](crate::Device::all) take it, where `all` are there? Software is left out where there is
    /// hardware.
    pub fn takes_part(&self, all: &[Adapter]) -> bool {
        let hardware = all.iter().any(|other| !other.is_software());
        self.is_software() != hardware
    }

    /// The system that it is driven by, and the driver's own words about itself.
    pub fn driver(&self) -> String {
        let words = [&self.info.driver, &self.info.driver_info].map(|word| word.trim());
        let words: Vec<&str> = words.into_iter().filter(|word| !word.is_empty()).collect();
        format!("{} {}", self.info.backend, words.join(" ")).trim_end().to_string()
    }

    /// The limits that matter here: each with its name, what the device has, and what is needed.
    pub fn limits(&self) -> Vec<(&'static str, u64, u64)> {
        limits(&self.inner.limits())
    }

    /// All that `wgpu` knows of it.
    pub fn info(&self) -> &wgpu::AdapterInfo {
        &self.info
    }

    fn rank(&self) -> usize {
        let kinds = ["discrete", "integrated", "virtual", "other", "software"];
        kinds.iter().position(|kind| *kind == self.kind()).unwrap_or(kinds.len())
    }

    fn elsewhere(&self) -> String {
        format!("{:?} {}", self.info.backend, self.info.name)
    }

    /// What this device would be called under the other systems.
    fn keys_elsewhere(&self) -> Vec<String> {
        let all = [wgpu::Backend::Vulkan, wgpu::Backend::Metal, wgpu::Backend::Dx12];
        let others = all.into_iter().filter(|backend| *backend != self.info.backend);
        others.map(|backend| format!("{backend:?} {}", self.info.name)).collect()
    }
}

impl fmt::Display for Adapter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({}, {})", self.name(), self.kind(), self.driver())
    }
}

fn limits(limits: &wgpu::Limits) -> Vec<(&'static str, u64, u64)> {
    let has = [
        u64::from(limits.max_compute_invocations_per_workgroup.min(limits.max_compute_workgroup_size_x)),
        u64::from(limits.max_compute_workgroup_storage_size),
        u64::from(limits.max_storage_buffers_per_shader_stage),
        limits.max_storage_buffer_binding_size.min(limits.max_buffer_size),
        u64::from(limits.max_uniform_buffer_binding_size as u32),
    ];
    LEAST.iter().zip(has).map(|((name, least), has)| (*name, has, *least)).collect()
}

/// # Errors
/// A limit is too small for the kernels of this crate.
pub(super) fn check(name: &str, device: &wgpu::Limits) -> Result<()> {
    match limits(device).into_iter().find(|(_, has, least)| has < least) {
        Some((what, has, least)) => Err(Error::device(format!("{name} allows {has} {what}, but {least} are needed"))),
        None => Ok(()),
    }
}
