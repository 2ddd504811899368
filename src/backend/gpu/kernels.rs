//! The kernels: shader text assembled from files, and compiled on first use.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use super::functions::{Formula, REAL};
use crate::unary::Order;

const COMMON: &str = include_str!("../../../shaders/common.wgsl");
const EACH: &str = include_str!("../../../shaders/each.wgsl");
const WINDOW: &str = include_str!("../../../shaders/window.wgsl");

/// A kernel: an entry point of a shader.
#[derive(Clone, Debug)]
pub(super) struct Kernel {
    /// The source of its text.
    pub shader: Shader,
    /// The name of its entry point.
    pub entry: &'static str,
    /// The number of arrays that it reads. It writes one.
    pub inputs: usize,
    /// If true, the shader computes one entry, and `each.wgsl` is the entry point that loops over entries.
    pub each: bool,
}

/// The source of a shader's text. `common.wgsl` precedes it.
#[derive(Clone, Debug)]
pub(super) enum Shader {
    /// A file.
    File(&'static str),
    /// A file that uses the elementary functions.
    Real(&'static str),
    /// A file that slides a window.
    Window(&'static str),
    /// The text of a function, and a file that maps it.
    Function(&'static str, &'static str),
    /// Generated text, which lives as long as the process.
    Generated(&'static str),
}

impl Kernel {
    /// The whole text.
    pub fn text(&self) -> String {
        let parts: &[&str] = match self.shader {
            Shader::File(text) | Shader::Generated(text) => &[text],
            Shader::Real(text) => &[REAL, text],
            Shader::Window(text) => &[WINDOW, text],
            Shader::Function(function, text) => &[REAL, function, text],
        };
        let each = if self.each { EACH.replace("NAME", self.entry) } else { String::new() };
        [COMMON, &parts.concat(), &each].concat()
    }
}

macro_rules! kernels {
    ($($name:ident: $entry:literal of $source:ident $file:literal, reads $inputs:literal, each: $each:literal;)*) => {
        $(
            pub(super) const $name: Kernel = Kernel {
                shader: Shader::$source(include_str!(concat!("../../../shaders/", $file))),
                entry: $entry,
                inputs: $inputs,
                each: $each,
            };
        )*
        /// All kernels from files, with the name of the file.
        #[cfg(test)]
        pub(super) const FILES: &[(&str, Kernel)] = &[$(($file, $name)),*];
    };
}

kernels! {
    FILL: "fill" of File "fill.wgsl", reads 0, each: true;
    AFFINE: "affine" of File "affine.wgsl", reads 1, each: true;
    COPY: "copy" of File "copy.wgsl", reads 1, each: true;
    ADD: "add" of File "zip.wgsl", reads 2, each: true;
    MUL: "mul" of File "zip.wgsl", reads 2, each: true;
    EQUAL: "equal" of File "zip.wgsl", reads 2, each: true;
    COMPARE: "compare" of Real "compare.wgsl", reads 2, each: true;
    SELECT: "choose" of Real "select.wgsl", reads 3, each: true;
    SORT_ORDER: "sort_order" of Real "sort_order.wgsl", reads 1, each: true;
    ACCUMULATE: "accumulate" of File "accumulate.wgsl", reads 1, each: true;
    SUM_FEW: "sum_few" of File "sum.wgsl", reads 1, each: false;
    SUM_MANY: "sum_many" of File "sum.wgsl", reads 1, each: false;
    MATMUL_LARGE: "matmul_large" of File "matmul.wgsl", reads 2, each: false;
    MATMUL_SMALL: "matmul_small" of File "matmul.wgsl", reads 2, each: false;
    MATMUL_TALL: "matmul_tall" of File "matmul.wgsl", reads 2, each: false;
    MATMUL_WIDE: "matmul_wide" of File "matmul.wgsl", reads 2, each: false;
    SOFTMAX: "softmax" of Real "softmax.wgsl", reads 1, each: false;
    LOG_SOFTMAX: "log_softmax" of Real "softmax.wgsl", reads 1, each: false;
    PATCHES: "patches" of Window "patches.wgsl", reads 1, each: true;
    FOLD: "fold" of Window "patches.wgsl", reads 1, each: true;
    WINDOW_SUM: "window_sum" of Window "patches.wgsl", reads 1, each: true;
    WINDOW_SPREAD: "window_spread" of Window "patches.wgsl", reads 1, each: true;
    WINDOW_ARGMAX: "window_argmax" of Window "window_argmax.wgsl", reads 1, each: true;
    WINDOW_SCATTER: "window_scatter" of Window "window_scatter.wgsl", reads 2, each: true;
    INDICES: "indices" of File "indices.wgsl", reads 1, each: true;
    GATHER: "gather" of File "gather.wgsl", reads 2, each: true;
    SCATTER: "scatter" of File "scatter.wgsl", reads 2, each: true;
}

const APPLY_TEXT: &str = include_str!("../../../shaders/apply.wgsl");
const DERIVATIVE_TEXT: &str = include_str!("../../../shaders/apply_derivative.wgsl");

/// y = f(x)
pub(super) fn apply(formula: &Formula) -> Kernel {
    Kernel { shader: Shader::Function(formula.text, APPLY_TEXT), entry: "apply", inputs: 1, each: true }
}

/// g f'(x), or g f''(x)
pub(super) fn apply_derivative(formula: &Formula, order: Order) -> Kernel {
    let entry = match order {
        Order::First => "apply_first",
        Order::Second => "apply_second",
    };
    Kernel { shader: Shader::Function(formula.text, DERIVATIVE_TEXT), entry, inputs: 3, each: true }
}

/// The kernels that were compiled for a device. The key is the address of their text, the address of their function's
/// text, and their name: texts are long, and live as long as the process.
pub(super) struct Compiled {
    device: wgpu::Device,
    pipelines: Mutex<HashMap<Key, Arc<Pipeline>>>,
}

type Key = (usize, usize, &'static str);

impl Kernel {
    fn key(&self) -> Key {
        let address = |text: &'static str| text.as_ptr() as usize;
        match self.shader {
            Shader::File(text) | Shader::Real(text) | Shader::Window(text) | Shader::Generated(text) => {
                (address(text), 0, self.entry)
            }
            Shader::Function(function, text) => (address(text), address(function), self.entry),
        }
    }
}

/// A compiled kernel.
pub(super) struct Pipeline {
    pub pipeline: wgpu::ComputePipeline,
    pub layout: wgpu::BindGroupLayout,
}

/// The size of the params of a dispatch.
pub(super) const PARAM_BYTES: u64 = 256;
/// The number of params of a kernel, after the three that all kernels have.
pub(super) const KERNEL_PARAMS: usize = PARAM_BYTES as usize / 4 - 3;

impl Compiled {
    pub fn new(device: wgpu::Device) -> Self {
        Compiled { device, pipelines: Mutex::default() }
    }

    pub fn get(&self, kernel: &Kernel) -> Arc<Pipeline> {
        let mut pipelines = self.pipelines.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(found) = pipelines.get(&kernel.key()) {
            return found.clone();
        }
        let compiled = Arc::new(self.compile(kernel));
        pipelines.insert(kernel.key(), compiled.clone());
        compiled
    }

    fn compile(&self, kernel: &Kernel) -> Pipeline {
        let module = self.device.create_shader_module(wgpu::ShaderModuleDescriptor {
            label: Some(kernel.entry),
            source: wgpu::ShaderSource::Wgsl(Cow::Owned(kernel.text())),
        });
        let layout = self.layout(kernel.inputs);
        let pipeline_layout = self.device.create_pipeline_layout(&wgpu::PipelineLayoutDescriptor {
            label: None,
            bind_group_layouts: &[Some(&layout)],
            immediate_size: 0,
        });
        let pipeline = self.device.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
            label: Some(kernel.entry),
            layout: Some(&pipeline_layout),
            module: &module,
            entry_point: Some(kernel.entry),
            // Kernels write workgroup memory before they read it.
            compilation_options: wgpu::PipelineCompilationOptions {
                zero_initialize_workgroup_memory: false,
                ..Default::default()
            },
            cache: None,
        });
        Pipeline { pipeline, layout }
    }

    /// The bindings: the params, the inputs, the output.
    fn layout(&self, inputs: usize) -> wgpu::BindGroupLayout {
        let entries: Vec<_> = (0..inputs + 2).map(|binding| binding_layout(binding, inputs)).collect();
        self.device.create_bind_group_layout(&wgpu::BindGroupLayoutDescriptor { label: None, entries: &entries })
    }
}

/// The layout of a binding: 0 is the params, up to `inputs` are read, and the last is written.
fn binding_layout(binding: usize, inputs: usize) -> wgpu::BindGroupLayoutEntry {
    let uniform = binding == 0;
    let ty = if uniform {
        wgpu::BufferBindingType::Uniform
    } else {
        wgpu::BufferBindingType::Storage { read_only: binding <= inputs }
    };
    wgpu::BindGroupLayoutEntry {
        binding: binding as u32,
        visibility: wgpu::ShaderStages::COMPUTE,
        ty: wgpu::BindingType::Buffer { ty, has_dynamic_offset: uniform, min_binding_size: None },
        count: None,
    }
}
