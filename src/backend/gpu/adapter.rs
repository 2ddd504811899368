//! The GPUs of a machine.

use std::fmt;

use crate::error::{Error, Result};

/// A GPU of this machine.
///
/// A GPU that is available through several systems (Vulkan, Metal, DirectX 12) is listed once.
#[derive(Clone, Debug)]
pub struct Adapter {
    pub(super) inner: wgpu::Adapter,
    info: wgpu::AdapterInfo,
}

/// The limits that kernels need. WebGPU guarantees them on every device.
const NEEDED: [(&str, u64); 5] = [
    ("invocations in a workgroup", 256),
    ("bytes of memory of a workgroup", 16_384),
    ("arrays in a kernel", 5),
    ("bytes of an array", 64 << 10),
    ("bytes of uniform numbers", 16_384),
];

impl Adapter {
    /// All GPUs, the fastest kind first: discrete, then integrated, then software. The list is empty if there is no GPU
    /// or no driver for one.
    ///
    /// The environment variable `WGPU_BACKEND` (`vulkan`, `metal` or `dx12`) restricts the list to one system.
    pub fn all() -> Vec<Adapter> {
        let instance = wgpu::Instance::new(wgpu::InstanceDescriptor::new_without_display_handle_from_env());
        let found = pollster::block_on(instance.enumerate_adapters(wgpu::Backends::all()));
        let mut found: Vec<Adapter> =
            found.into_iter().map(|inner| Adapter { info: inner.get_info(), inner }).collect();
        found.sort_by_key(Adapter::rank);
        let mut seen: Vec<String> = Vec::new();
        let mut adapters = Vec::new();
        for adapter in found {
            // The same name in the same system is another device. In another system it is the same device.
            if !seen.contains(&adapter.key()) {
                seen.extend(adapter.keys_in_other_systems());
                adapters.push(adapter);
            }
        }
        adapters
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

    /// True if it is a software driver that runs on the CPU.
    pub fn is_software(&self) -> bool {
        self.info.device_type == wgpu::DeviceType::Cpu
    }

    /// True if [`Device::all`](crate::Device::all) uses it, given `all` adapters. Software is used only if there is no
    /// hardware.
    pub fn takes_part(&self, all: &[Adapter]) -> bool {
        let hardware = all.iter().any(|other| !other.is_software());
        self.is_software() != hardware
    }

    /// The system (such as Vulkan), and the name and version of the driver.
    pub fn driver(&self) -> String {
        let details = [&self.info.driver, &self.info.driver_info].map(|detail| detail.trim());
        let details: Vec<&str> = details.into_iter().filter(|detail| !detail.is_empty()).collect();
        format!("{} {}", self.info.backend, details.join(" ")).trim_end().to_string()
    }

    /// The limits that kernels need: the name, the device's value, and the needed value of each.
    pub fn limits(&self) -> Vec<(&'static str, u64, u64)> {
        limits(&self.inner.limits())
    }

    /// The adapter information of `wgpu`.
    pub fn info(&self) -> &wgpu::AdapterInfo {
        &self.info
    }

    fn rank(&self) -> usize {
        let kinds = ["discrete", "integrated", "virtual", "other", "software"];
        kinds.iter().position(|kind| *kind == self.kind()).unwrap_or(kinds.len())
    }

    fn key(&self) -> String {
        format!("{:?} {}", self.info.backend, self.info.name)
    }

    /// The keys of this device in the other systems.
    fn keys_in_other_systems(&self) -> Vec<String> {
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
    let values = [
        u64::from(limits.max_compute_invocations_per_workgroup.min(limits.max_compute_workgroup_size_x)),
        u64::from(limits.max_compute_workgroup_storage_size),
        u64::from(limits.max_storage_buffers_per_shader_stage),
        limits.max_storage_buffer_binding_size.min(limits.max_buffer_size),
        u64::from(limits.max_uniform_buffer_binding_size as u32),
    ];
    NEEDED.iter().zip(values).map(|((name, needed), value)| (*name, value, *needed)).collect()
}

/// # Errors
/// A limit is too small for the kernels of this crate.
pub(super) fn check(name: &str, device: &wgpu::Limits) -> Result<()> {
    match limits(device).into_iter().find(|(_, value, needed)| value < needed) {
        Some((limit, value, needed)) => {
            Err(Error::device(format!("the GPU {name} allows {value} {limit}, but kernels need {needed}: use the CPU")))
        }
        None => Ok(()),
    }
}
