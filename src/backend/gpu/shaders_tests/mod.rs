//! Tests of all shaders without a device: they are parsed, validated, checked against the smallest limits, and translated
//! for all systems.

mod components;
mod uniform;

use std::collections::BTreeMap;

use naga::valid::{Capabilities, GlobalUse, ModuleInfo, ValidationFlags, Validator};
use naga::{AddressSpace, Module, ShaderStage, StorageAccess};

use super::functions::formula;
use super::gram::SHAPES;
use super::kernels::{self, Kernel};
use crate::unary::{Order, Unary};

/// The limits that WebGPU guarantees on every device.
const INVOCATIONS: u32 = 256;
const WORKGROUP_BYTES: u32 = 16_384;
const STORAGE_BUFFERS: usize = 8;

/// All kernels with their names.
fn all() -> Vec<(String, Kernel)> {
    let files = kernels::FILES.iter().map(|(file, kernel)| (format!("{file} {}", kernel.entry), kernel.clone()));
    let functions = Unary::cases().into_iter().flat_map(|f| {
        let formula = formula(f).expect("functions of the registry have shaders");
        let first = kernels::apply_derivative(&formula, Order::First);
        let second = kernels::apply_derivative(&formula, Order::Second);
        [kernels::apply(&formula), first, second].map(|kernel| (format!("{f:?} {}", kernel.entry), kernel))
    });
    files.chain(functions).chain(generated()).collect()
}

/// The kernels with generated text.
fn generated() -> Vec<(String, Kernel)> {
    SHAPES.into_iter().map(|shape| (format!("{shape:?}"), shape.kernel())).collect()
}

/// Parses and validates a text.
fn parsed(name: &str, text: &str) -> (Module, ModuleInfo) {
    let module = naga::front::wgsl::parse_str(text).unwrap_or_else(|e| panic!("{name}: {}", e.emit_to_string(text)));
    // No capabilities in addition to WebGPU.
    let info = Validator::new(ValidationFlags::all(), Capabilities::empty())
        .validate(&module)
        .unwrap_or_else(|e| panic!("{name}: {}", e.emit_to_string(text)));
    (module, info)
}

/// All kernels, grouped by their text.
fn by_text() -> BTreeMap<String, Vec<(String, Kernel)>> {
    let mut texts: BTreeMap<String, Vec<(String, Kernel)>> = BTreeMap::new();
    for (name, kernel) in all() {
        texts.entry(kernel.text()).or_default().push((name, kernel));
    }
    texts
}

#[test]
fn shaders_are_valid_and_free_of_faults_that_validation_accepts() {
    for (text, kernels_of_text) in by_text() {
        let name = &kernels_of_text[0].0;
        let (module, info) = parsed(name, &text);
        assert_eq!(uniform::faults(&module), Vec::<String>::new(), "{name}");
        assert_eq!(components::faults(&module, &info), Vec::<String>::new(), "{name}");
        for (name, kernel) in &kernels_of_text {
            assert_eq!(limits(&module, &info, kernel), Vec::<String>::new(), "{name}");
        }
    }
}

#[test]
fn shaders_are_translated_for_every_system() {
    for (text, kernels_of_text) in by_text() {
        let (module, info) = parsed(&kernels_of_text[0].0, &text);
        let msl = naga::back::msl::Options { lang_version: (2, 4), ..Default::default() };
        naga::back::msl::write_string(&module, &info, &msl, &Default::default())
            .unwrap_or_else(|error| panic!("{} in MSL: {error}", kernels_of_text[0].0));
        for (name, kernel) in &kernels_of_text {
            to_spirv(&module, &info, kernel).unwrap_or_else(|error| panic!("{name} in SPIR-V: {error}"));
            to_hlsl(&module, &info, kernel).unwrap_or_else(|error| panic!("{name} in HLSL: {error}"));
            to_glsl(&module, &info, kernel).unwrap_or_else(|error| panic!("{name} in GLSL: {error}"));
        }
    }
}

fn to_spirv(module: &Module, info: &ModuleInfo, kernel: &Kernel) -> Result<(), naga::back::spv::Error> {
    use naga::back::spv::{Options, PipelineOptions, write_vec};
    let options = Options { lang_version: (1, 3), ..Default::default() };
    let pipeline = PipelineOptions { shader_stage: ShaderStage::Compute, entry_point: kernel.entry.into() };
    write_vec(module, info, &options, Some(&pipeline)).map(drop)
}

fn to_hlsl(module: &Module, info: &ModuleInfo, kernel: &Kernel) -> Result<(), naga::back::hlsl::Error> {
    use naga::back::hlsl::{Options, PipelineOptions, ShaderModel, Writer};
    let options =
        Options { shader_model: ShaderModel::V6_2, zero_initialize_workgroup_memory: false, ..Default::default() };
    let pipeline = PipelineOptions { entry_point: Some((ShaderStage::Compute, kernel.entry.into())) };
    Writer::new(&mut String::new(), &options, &pipeline).write(module, info, None).map(drop)
}

fn to_glsl(module: &Module, info: &ModuleInfo, kernel: &Kernel) -> Result<(), naga::back::glsl::Error> {
    use naga::back::glsl::{Options, PipelineOptions, Version, Writer};
    let version = Version::Embedded { version: 310, is_webgl: false };
    let options = Options { version, ..Default::default() };
    let pipeline =
        PipelineOptions { shader_stage: ShaderStage::Compute, entry_point: kernel.entry.into(), multiview: None };
    let mut text = String::new();
    Writer::new(&mut text, module, info, &options, &pipeline, Default::default())?.write().map(drop)
}

/// The limits that a kernel exceeds, and the arrays with a wrong binding.
fn limits(module: &Module, info: &ModuleInfo, kernel: &Kernel) -> Vec<String> {
    let entries = &module.entry_points;
    let Some(index) = entries.iter().position(|entry| entry.name == kernel.entry) else {
        return vec![format!("there is no entry point {}", kernel.entry)];
    };
    let uses = info.get_entry_point(index);
    let used: Vec<_> = module.global_variables.iter().filter(|(handle, _)| !uses[*handle].is_empty()).collect();
    let mut faults = Vec::new();

    let size = entries[index].workgroup_size;
    if size.iter().product::<u32>() > INVOCATIONS {
        faults.push(format!("a workgroup has {size:?} invocations"));
    }
    let mut layouter = naga::proc::Layouter::default();
    layouter.update(module.to_ctx()).expect("validated types have sizes");
    let memory = used.iter().filter(|(_, variable)| variable.space == AddressSpace::WorkGroup);
    let bytes: u32 = memory.map(|(_, variable)| layouter[variable.ty].size.next_multiple_of(16)).sum();
    if bytes > WORKGROUP_BYTES {
        faults.push(format!("a workgroup has {bytes} bytes of memory"));
    }
    let arrays = used.iter().filter_map(|(handle, variable)| match variable.space {
        AddressSpace::Storage { access } => Some((variable.binding?.binding as usize, *handle, access)),
        _ => None,
    });
    let arrays: Vec<_> = arrays.collect();
    if arrays.len() > STORAGE_BUFFERS {
        faults.push(format!("{} arrays are bound", arrays.len()));
    }
    for &(binding, handle, access) in &arrays {
        let writes = access.contains(StorageAccess::STORE);
        if binding == 0 || binding > kernel.inputs + 1 || writes != (binding == kernel.inputs + 1) {
            faults.push(format!("array {binding} has a wrong binding or access: {access:?}"));
        }
        if writes && !uses[handle].contains(GlobalUse::WRITE) {
            faults.push("nothing is written".into());
        }
    }
    if !arrays.iter().any(|(binding, ..)| *binding == kernel.inputs + 1) {
        faults.push("there is no result".into());
    }
    faults
}

#[test]
fn exceeded_limits_are_found() {
    let faults = |variables: &str, size: u32, body: &str| {
        let text = format!("{variables} @compute @workgroup_size({size}) fn main() {{ {body} }}");
        let (module, info) = parsed("limits", &text);
        let shader = kernels::Shader::Generated(String::leak(text));
        limits(&module, &info, &Kernel { shader, entry: "main", inputs: 1, each: false })
    };
    let x = "@group(0) @binding(1) var<storage, read> x: array<f32>;";
    let y = "@group(0) @binding(2) var<storage, read_write> y: array<f32>;";
    let memory = |count: u32| format!("{x} {y} var<workgroup> m: array<f32, {count}>;");
    let none = Vec::<String>::new();
    assert_eq!(faults(&memory(4096), 256, "m[0] = 1.0; y[0] = x[0];"), none);
    assert_eq!(faults(&memory(4097), 256, "m[0] = 1.0; y[0] = x[0];"), ["a workgroup has 16400 bytes of memory"]);
    assert_eq!(faults(&memory(4097), 256, "y[0] = x[0];"), none, "unused memory does not count");
    assert_eq!(faults(&memory(1), 257, "y[0] = x[0];"), ["a workgroup has [257, 1, 1] invocations"]);
    assert_eq!(faults(&memory(1), 1, "m[0] = x[0];"), ["there is no result"]);
    assert_eq!(faults(&memory(1), 1, "m[0] = y[0];"), ["nothing is written"]);
    let swapped = [x.replace("(1)", "(2)"), y.replace("(2)", "(1)")].concat();
    assert_eq!(faults(&swapped, 1, "y[0] = x[0];").len(), 2);
}
