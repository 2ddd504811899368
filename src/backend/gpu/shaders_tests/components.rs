//! Finds stores to one component of a shared vector.
//!
//! A store to a component may write the whole vector. Invocations that store different components of one vector may
//! overwrite each other's results.

use naga::valid::{FunctionInfo, ModuleInfo};
use naga::{AddressSpace, Block, Function, Module, Statement, TypeInner};

/// The faults in the functions of a shader.
pub fn faults(module: &Module, info: &ModuleInfo) -> Vec<String> {
    let functions = module.functions.iter().map(|(handle, function)| (function, &info[handle]));
    let entries = module.entry_points.iter().enumerate();
    let entries = entries.map(|(index, entry)| (&entry.function, info.get_entry_point(index)));
    let mut faults = Vec::new();
    for (function, uses) in functions.chain(entries) {
        in_block(module, function, uses, &function.body, &mut faults);
    }
    faults
}

fn in_block(module: &Module, function: &Function, uses: &FunctionInfo, block: &Block, faults: &mut Vec<String>) {
    for statement in block {
        let mut within = |block: &Block| in_block(module, function, uses, block, faults);
        match statement {
            Statement::Block(block) => within(block),
            Statement::If { accept, reject, .. } => [accept, reject].into_iter().for_each(within),
            Statement::Switch { cases, .. } => cases.iter().for_each(|case| within(&case.body)),
            Statement::Loop { body, continuing, .. } => [body, continuing].into_iter().for_each(within),
            Statement::Store { pointer, .. } => {
                // A value pointer without a size points to a component. A pointer to a single number has another type.
                if let TypeInner::ValuePointer {
                    size: None,
                    space: AddressSpace::WorkGroup | AddressSpace::Storage { .. },
                    ..
                } = uses[*pointer].ty.inner_with(&module.types)
                {
                    let name = function.name.as_deref().unwrap_or("an entry point");
                    faults.push(format!("{name} stores one component of a shared vector"));
                }
            }
            _ => {}
        }
    }
}

#[test]
fn stores_to_components_are_found() {
    let count = |body: &str| {
        let text = format!(
            "@group(0) @binding(0) var<storage, read_write> vectors: array<vec4<f32>>;
            @group(0) @binding(1) var<storage, read_write> numbers: array<f32>;
            var<workgroup> vector: vec4<f32>;
            var<workgroup> matrix: mat2x2<f32>;
            var<workgroup> number: f32;
            fn put(to: ptr<function, vec4<f32>>, at: u32) {{ (*to)[at] = 1.0; }}
            @compute @workgroup_size(64) fn main(@builtin(local_invocation_index) lane: u32) {{ {body} }}"
        );
        let (module, info) = super::parsed("components", &text);
        faults(&module, &info).len()
    };
    let refused = [
        "vector.x = 1.0;",
        "vector[lane % 4u] = 1.0;",
        "vectors[lane].y = 1.0;",
        "vectors[lane].y += 1.0;",
        "vectors[lane / 4u][lane % 4u] = 1.0;",
        "matrix[1].x = 1.0;",
        "let to = &vector; (*to).x = 1.0;",
        "if lane == 0u { for (var k = 0u; k < 4u; k++) { vector[k] = 1.0; } }",
        "switch lane { case 0u { vector.x = 1.0; } default { } }",
        "loop { break; continuing { vector.x = 1.0; } }",
    ];
    for body in refused {
        assert_eq!(count(body), 1, "{body}");
    }
    let allowed = [
        "vector = vec4<f32>(1.0);",
        "vectors[lane] = vec4<f32>(vector.x);",
        "numbers[lane] = vector.x;",
        "number = 1.0;",
        "matrix[1] = vec2<f32>();",
        "var own: vec4<f32>; own.x = 1.0; own[lane % 4u] = 2.0; put(&own, 3u); vectors[lane] = own;",
    ];
    for body in allowed {
        assert_eq!(count(body), 0, "{body}");
    }
}
