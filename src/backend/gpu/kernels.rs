//! The shaders, put together, and compiled when they are first needed.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use super::functions::{Formula, REAL};

const COMMON: &str = include_str!("../../../shaders/common.wgsl");
const EACH: &str = include_str!("../../../shaders/each.wgsl");
const WINDOW: &str = include_str!("../../../shaders/window.wgsl");

/// A kernel: an entry point of a shader.
#[derive(Clone, Debug)]
pub(super) struct Kernel {
    /// The shader's text is made by this.
    pub shader: Shader,
    /// Its name there.
    pub entry: &'static str,
    /// How many arrays it reads; it writes one.
    pub inputs: usize,
    /// The shader tells what is done for an entry, and the entry point is `each.wgsl`'s.
    pub each: bool,
}

/// What a shader's text is put together from, after `common.wgsl`.
#[derive(Clone, Debug)]
pub(super) enum Shader {
    /// A file.
    File(&'static str),
    /// A file that uses the elementary functions.
    Real(&'static str),
    /// A file that looks through a window.
    Window(&'static str),
    /// A file that maps a function, with the function's name and text.
    Function(&'static str, &'static str),
    /// A text that was made, once for the process.
    Made(&'static str),
}

impl Kernel {
    /// The whole text.
    pub fn text(&self) -> String {
        let own: &[&str] = match self.shader {
            Shader::File(text) | Shader::Made(text) => &[text],
            Shader::Real(text) => &[REAL, text],
            Shader::Window(text) => &[WINDOW, text],
            Shader::Function(function, text) => &[REAL, function, text],
        };
        let each = if self.each { EACH.replace("NAME", self.entry) } else { String::new() };
        [COMMON, &own.concat(), &each].concat()
    }
}

macro_rules! kernels {
    ($($name:ident: $entry:literal of $form:ident $file:literal, reads $inputs:literal, each: $each:literal;)*) => {
        $(
            pub(super) const $name: Kernel = Kernel {
                shader: Shader::$form(include_str!(concat!("../../../shaders/", $file))),
                entry: $entry,
                inputs: $inputs,
                each: $each,
            };
        )*
        /// All kernels that are files, with the name of the file.
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
pub(super) fn apply_derivative(formula: &Formula, second: bool) -> Kernel {
    let entry = if second { "apply_second" } else { "apply_first" };
    Kernel { shader: Shader::Function(formula.text, DERIVATIVE_TEXT), entry, inputs: 3, each: true }
}

/// Kernels that were compiled for a device, by where their text and their function's text are and their name: texts are
/// long, and live as long as the process.
pub(super) struct Compiled {
    device: wgpu::Device,
    pipelines: Mutex<HashMap<Key, Arc<Pipeline>>>,
}

type Key = (usize, usize, &'static str);

impl Kernel {
    fn key(&self) -> Key {
        let place = |text: &'static str| text.as_ptr() as usize;
        match self.shader {
            Shader::File(text) | Shader::Real(text) | Shader::Window(text) | Shader::Made(text) => {
                (place(text), 0, self.entry)
            }
            Shader::Function(function, text) => (place(text), place(function), self.entry),
        }
    }
}

/// A kernel that can be run.
pub(super) struct Pipeline {
    pub pipeline: wgpu::ComputePipeline,
    pub layout: wgpu::BindGroupLayout,
}

/// Bytes of the words of a dispatch.
pub(super) const WORD_BYTES: u64 = 256;
/// Words of a kernel's own, after the three that all have.
pub(super) const OWN_WORDS: usize = WORD_BYTES as usize / 4 - 3;

impl Compiled {
    pub fn new(device: wgpu::Device) -> Self {
        Compiled { device, pipelines: Mutex::default() }
    }

    pub fn get(&self, kernel: &Kernel) -> Arc<Pipeline> {
        let mut pipelines = self.pipelines.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(found) = pipelines.get(&kernel.key()) {
            return found.clone();
        }
        let made = Arc::new(self.compile(kernel));
        pipelines.insert(kernel.key(), made.clone());
        made
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
            // All of it is written before it is read.
            compilation_options: wgpu::PipelineCompilationOptions {
                zero_initialize_workgroup_memory: false,
                ..Default::default()
            },
            cache: None,
        });
        Pipeline { pipeline, layout }
    }

    /// The words, what is read, what is written.
    fn layout(&self, inputs: usize) -> wgpu::BindGroupLayout {
        let entry = |binding: usize| {
            let uniform = binding == 0;
            wgpu::BindGroupLayoutEntry {
                binding: binding as u32,
                visibility: wgpu::ShaderStages::COMPUTE,
                ty: wgpu::BindingType::Buffer {
                    ty: match uniform {
                        true => wgpu::BufferBindingType::Uniform,
                        false => wgpu::BufferBindingType::Storage { read_only: binding <= inputs },
                    },
                    has_dynamic_offset: uniform,
                    min_binding_size: None,
                },
                count: None,
            }
        };
        let entries: Vec<_> = (0..inputs + 2).map(entry).collect();
        self.device.create_bind_group_layout(&wgpu::BindGroupLayoutDescriptor { label: None, entries: &entries })
    }
}
