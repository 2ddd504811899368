//! Finds barriers that some invocations of a workgroup may not reach.
//!
//! A value is uniform if it is known to be the same for all invocations: literals, constants, params, the number of the
//! workgroup, entries of read-only arrays at uniform places, and all values computed from these. A variable is uniform if
//! every value that is stored in it is uniform and all invocations store it together. Everything else may differ, such as
//! the number of the invocation, workgroup memory, and arrays that are written.
//!
//! Control flow is uniform if all conditions on the way are uniform. After a return of some invocations it is not. If some
//! invocations may leave a loop or continue with its next round, the loop is not uniform, but the code after it is.

use std::collections::BTreeSet;

use naga::{
    AddressSpace, Binding, Block, BuiltIn, Expression, Function, FunctionArgument, Handle, LocalVariable, Module,
    Statement, StorageAccess, TypeInner,
};

/// The faults in the entry points of a shader and in the functions that they call.
pub fn faults(module: &Module) -> Vec<String> {
    let mut faults = BTreeSet::new();
    for entry in &module.entry_points {
        let is_uniform = |argument: &FunctionArgument| {
            use BuiltIn::{NumWorkGroups, WorkGroupId, WorkGroupSize};
            matches!(argument.binding, Some(Binding::BuiltIn(WorkGroupId | NumWorkGroups | WorkGroupSize)))
        };
        let arguments = entry.function.arguments.iter().map(is_uniform).collect();
        called(module, &entry.name, &entry.function, arguments, true, &mut faults);
    }
    faults.into_iter().collect()
}

/// True if a function returns a uniform value. `arguments` says which arguments are uniform, and `together` whether all
/// invocations call it together.
fn called(
    module: &Module,
    name: &str,
    function: &Function,
    arguments: Vec<bool>,
    together: bool,
    faults: &mut BTreeSet<String>,
) -> bool {
    let mut body = Body {
        module,
        name,
        function,
        arguments,
        variables: vec![true; function.local_variables.len()],
        results: vec![true; function.expressions.len()],
        values: Vec::new(),
        returned: true,
        changed: true,
        faults,
    };
    // A value that is not uniform may make others so, also earlier in a loop.
    while std::mem::take(&mut body.changed) {
        body.values();
        body.block(&function.body, together);
    }
    body.returned
}

/// A function and the uniform values found so far. Everything counts as uniform until the opposite is found.
struct Body<'a> {
    module: &'a Module,
    name: &'a str,
    function: &'a Function,
    arguments: Vec<bool>,
    variables: Vec<bool>,
    /// The results of calls.
    results: Vec<bool>,
    /// All expressions. For a pointer, the value behind it.
    values: Vec<bool>,
    returned: bool,
    changed: bool,
    faults: &'a mut BTreeSet<String>,
}

/// The ways in which some invocations may leave a block early.
#[derive(Clone, Copy, Default)]
struct Exits {
    function: bool,
    round: bool,
}

impl Exits {
    fn any(self) -> bool {
        self.function || self.round
    }

    fn or(self, other: Exits) -> Exits {
        Exits { function: self.function || other.function, round: self.round || other.round }
    }
}

impl Body<'_> {
    fn values(&mut self) {
        self.values.clear();
        // Operands precede the expressions that use them.
        for (handle, expression) in self.function.expressions.iter() {
            let value = self.value(handle, expression);
            self.values.push(value);
        }
        for (handle, variable) in self.function.local_variables.iter() {
            if variable.init.is_some_and(|init| !self.values[init.index()]) {
                self.differs(handle);
            }
        }
    }

    fn value(&self, handle: Handle<Expression>, expression: &Expression) -> bool {
        use Expression as E;
        let uniform = |handle: &Handle<Expression>| self.values[handle.index()];
        match expression {
            E::Literal(_) | E::Constant(_) | E::Override(_) | E::ZeroValue(_) | E::ArrayLength(_) => true,
            E::WorkGroupUniformLoadResult { .. } => true,
            E::FunctionArgument(index) => self.arguments[*index as usize],
            E::LocalVariable(handle) => self.variables[handle.index()],
            E::CallResult(_) => self.results[handle.index()],
            E::GlobalVariable(handle) => match self.module.global_variables[*handle].space {
                AddressSpace::Uniform => true,
                AddressSpace::Storage { access } => access == StorageAccess::LOAD,
                _ => false,
            },
            E::Load { pointer } => uniform(pointer),
            E::Access { base, index } => uniform(base) && uniform(index),
            E::AccessIndex { base, .. } => uniform(base),
            E::Compose { components, .. } => components.iter().all(uniform),
            E::Splat { value, .. } => uniform(value),
            E::Swizzle { vector, .. } => uniform(vector),
            E::Unary { expr, .. } | E::As { expr, .. } => uniform(expr),
            E::Relational { argument, .. } => uniform(argument),
            E::Binary { left, right, .. } => uniform(left) && uniform(right),
            E::Select { condition, accept, reject } => uniform(condition) && uniform(accept) && uniform(reject),
            E::Math { arg, arg1, arg2, arg3, .. } => {
                uniform(arg) && [arg1, arg2, arg3].into_iter().flatten().all(uniform)
            }
            _ => false,
        }
    }

    /// Marks a variable as not uniform.
    fn differs(&mut self, variable: Handle<LocalVariable>) {
        self.changed |= std::mem::replace(&mut self.variables[variable.index()], false);
    }

    /// Marks the variable behind a pointer as not uniform, if it belongs to this function.
    fn differs_behind(&mut self, mut pointer: Handle<Expression>) {
        loop {
            match self.function.expressions[pointer] {
                Expression::Access { base, .. } | Expression::AccessIndex { base, .. } => pointer = base,
                Expression::LocalVariable(variable) => return self.differs(variable),
                _ => return,
            }
        }
    }

    fn fault(&mut self, fault: &str) {
        self.faults.insert(format!("{}: {fault}", self.name));
    }

    fn barrier(&mut self, together: bool) {
        if !together {
            self.fault("a barrier that not all invocations may reach");
        }
    }

    /// Visits a block. `together` is true if all invocations enter it together.
    fn block(&mut self, block: &Block, together: bool) -> Exits {
        let mut exits = Exits::default();
        for statement in block {
            exits = exits.or(self.statement(statement, together && !exits.any()));
        }
        exits
    }

    fn statement(&mut self, statement: &Statement, together: bool) -> Exits {
        use Statement as S;
        match statement {
            S::Emit(_) | S::MemoryBarrier(_) => {}
            S::Block(block) => return self.block(block, together),
            S::If { condition, accept, reject } => {
                let together = together && self.values[condition.index()];
                return self.block(accept, together).or(self.block(reject, together));
            }
            S::Switch { selector, cases } => {
                let together = together && self.values[selector.index()];
                let each = cases.iter().map(|case| self.block(&case.body, together));
                return each.fold(Exits::default(), Exits::or);
            }
            S::Loop { body, continuing, break_if } => {
                return self.rounds(body, continuing, *break_if, together);
            }
            // A break in a switch leaves only the switch. It is treated like a break of a loop.
            S::Break | S::Continue => return Exits { round: !together, function: false },
            S::Return { value } => {
                self.returned &= together && value.is_none_or(|value| self.values[value.index()]);
                return Exits { function: !together, round: false };
            }
            S::ControlBarrier(_) => self.barrier(together),
            S::WorkGroupUniformLoad { pointer, .. } => self.barrier(together && self.place(*pointer)),
            S::Store { pointer, value } => {
                if !(together && self.values[value.index()] && self.place(*pointer)) {
                    self.differs_behind(*pointer);
                }
            }
            S::Call { function, arguments, result } => self.call(*function, arguments, *result, together),
            // Its result differs between invocations.
            S::Atomic { .. } => {}
            other => self.fault(&format!("unknown statement: {other:?}")),
        }
        Exits::default()
    }

    fn rounds(
        &mut self,
        body: &Block,
        continuing: &Block,
        break_if: Option<Handle<Expression>>,
        together: bool,
    ) -> Exits {
        let mut exits = self.block(body, together);
        exits = exits.or(self.block(continuing, together && !exits.any()));
        exits.round |= break_if.is_some_and(|condition| !self.values[condition.index()]);
        if together && exits.any() {
            // Some invocations enter another round without the others.
            exits = exits.or(self.rounds(body, continuing, break_if, false));
        }
        Exits { function: exits.function, round: false }
    }

    /// True if all invocations access the same part of a variable.
    fn place(&self, mut pointer: Handle<Expression>) -> bool {
        loop {
            pointer = match self.function.expressions[pointer] {
                Expression::Access { base, index } if self.values[index.index()] => base,
                Expression::Access { .. } => return false,
                Expression::AccessIndex { base, .. } => base,
                _ => return true,
            };
        }
    }

    fn call(
        &mut self,
        function: Handle<Function>,
        arguments: &[Handle<Expression>],
        result: Option<Handle<Expression>>,
        together: bool,
    ) {
        let callee = &self.module.functions[function];
        let is_pointer = |argument: &FunctionArgument| {
            let inner = &self.module.types[argument.ty].inner;
            matches!(inner, TypeInner::Pointer { .. } | TypeInner::ValuePointer { .. })
        };
        // The use of a pointer in the callee is not analysed: the value behind it counts as not uniform.
        let pointers: Vec<bool> = callee.arguments.iter().map(is_pointer).collect();
        let uniform = arguments.iter().zip(&pointers);
        let uniform = uniform.map(|(argument, pointer)| !pointer && self.values[argument.index()]).collect();
        let name = callee.name.as_deref().unwrap_or("a function");
        let uniform_result = called(self.module, name, callee, uniform, together, self.faults);
        for (argument, _) in arguments.iter().zip(&pointers).filter(|(_, pointer)| **pointer) {
            self.differs_behind(*argument);
        }
        if let Some(result) = result.filter(|_| !uniform_result) {
            self.changed |= std::mem::replace(&mut self.results[result.index()], false);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// True if a fault is found in this body.
    fn refused(body: &str) -> bool {
        let text = format!(
            "@group(0) @binding(0) var<uniform> params: vec4<u32>;
            @group(0) @binding(1) var<storage, read> list: array<u32>;
            @group(0) @binding(2) var<storage, read_write> written: array<u32>;
            const COUNT: u32 = 3u;
            var<workgroup> together: array<u32, 64>;
            var<private> own: u32;
            fn param(k: u32) -> u32 {{ return params[k % 4u]; }}
            fn wait() {{ workgroupBarrier(); }}
            fn wait_if(condition: bool) {{ if condition {{ workgroupBarrier(); }} }}
            fn same(x: u32) -> u32 {{ if x > 3u {{ return 1u; }} return 2u; }}
            fn small(x: u32, y: u32) -> bool {{ var z = x; z += param(0u); return z < y; }}
            fn three(to: ptr<function, u32>) {{ *to = 3u; }}
            @compute @workgroup_size(64)
            fn main(
                @builtin(workgroup_id) id: vec3<u32>, @builtin(local_invocation_index) lane: u32,
                @builtin(local_invocation_id) local: vec3<u32>, @builtin(global_invocation_id) global: vec3<u32>,
            ) {{ {body} }}"
        );
        let (module, _) = super::super::parsed(body, &text);
        !faults(&module).is_empty()
    }

    #[test]
    fn barriers_that_all_invocations_reach_are_accepted() {
        let allowed = [
            "workgroupBarrier(); storageBarrier();",
            "if params.x > 3u { workgroupBarrier(); } else { wait(); }",
            "if param(2u) > id.x + COUNT && id.y == 0u { workgroupBarrier(); }",
            "for (var k = 0u; k < 4u; k++) { workgroupBarrier(); }",
            "for (var k = param(1u); k > 0u; k = k / 2u) { workgroupBarrier(); if lane < k { together[lane] = 0u; } }",
            "for (var k = id.x; k < same(id.y); k += param(0u)) { for (var j = k; j < 9u; j++) { wait(); } }",
            "let record = list[id.x]; for (var k = list[record]; k < record; k++) { workgroupBarrier(); }",
            "if param(0u) > 2u { return; } workgroupBarrier();",
            "for (var k = 0u; k < 4u; k++) { if k == param(0u) { break; } workgroupBarrier(); }",
            "for (var k = 0u; k < 4u; k++) { if k == param(0u) { continue; } workgroupBarrier(); }",
            "for (var k = lane; k < 4u; k++) { together[k] = 1u; } workgroupBarrier();",
            "for (var k = 0u; k < 4u; k++) { if together[k] == lane { break; } } workgroupBarrier();",
            "if lane == 0u { together[0] = 1u; } workgroupBarrier();",
            "if together[lane] > 0u { together[lane] = same(lane); } wait();",
            "wait_if(small(id.x, 3u));",
            "switch param(0u) { case 1u { workgroupBarrier(); } default { } }",
            "let x = workgroupUniformLoad(&together[param(0u)]); if x > 3u { workgroupBarrier(); }",
            "var v: vec2<u32>; v.x = id.x; v[param(0u) % 2u] = 3u; if v.y > 0u { workgroupBarrier(); }",
            "if arrayLength(&written) > 3u { workgroupBarrier(); }",
            "loop { workgroupBarrier(); continuing { break if id.x > 3u; } }",
            "if select(id.x, 3u, param(0u) == 1u) > min(2u, COUNT) { workgroupBarrier(); }",
        ];
        for body in allowed {
            assert!(!refused(body), "{body}");
        }
    }

    #[test]
    fn barriers_that_some_invocations_may_not_reach_are_found() {
        let wrong = [
            "if lane < 32u { workgroupBarrier(); }",
            "if lane < 32u { storageBarrier(); }",
            "if local.x == 0u { } else { workgroupBarrier(); }",
            "if global.x < params.x { workgroupBarrier(); }",
            "if together[0] > 3u { workgroupBarrier(); }",
            "if written[0] > 3u { workgroupBarrier(); }",
            "if list[lane] > 3u { workgroupBarrier(); }",
            "if own > 3u { workgroupBarrier(); }",
            "if param(lane) > 3u { workgroupBarrier(); }",
            "if lane < 32u { wait(); }",
            "wait_if(lane < 32u);",
            "wait_if(small(lane, 3u));",
            "wait_if(small(3u, together[1]));",
            "if same(lane) == 1u { workgroupBarrier(); }",
            "if param(0u) > 3u && lane < 3u { workgroupBarrier(); }",
            "for (var k = lane; k < 64u; k += 8u) { workgroupBarrier(); }",
            "for (var k = 0u; k < lane; k++) { workgroupBarrier(); }",
            "for (var k = 0u; k < 4u; k += lane) { workgroupBarrier(); }",
            "for (var k = 0u; k < 4u; k++) { for (var j = 0u; j < together[k]; j++) { wait(); } }",
            "if lane == 0u { return; } workgroupBarrier();",
            "for (var k = 0u; k < 4u; k++) { if lane == k { return; } } workgroupBarrier();",
            "for (var k = 0u; k < 4u; k++) { if lane == k { break; } workgroupBarrier(); }",
            "for (var k = 0u; k < 4u; k++) { workgroupBarrier(); if lane == k { break; } }",
            "for (var k = 0u; k < 4u; k++) { if lane == k { continue; } workgroupBarrier(); }",
            "loop { workgroupBarrier(); continuing { break if lane > 3u; } }",
            "loop { if id.x > 3u { break; } continuing { workgroupBarrier(); break if lane > 3u; } }",
            "var k = 0u; for (; k < 9u; k++) { if lane == k { break; } } if k > 3u { workgroupBarrier(); }",
            "var x = 0u; if lane == 0u { x = 1u; } if x == 0u { workgroupBarrier(); }",
            "var x = 0u; x = lane; x = 0u; if x == 0u { workgroupBarrier(); }",
            "var x = 0u; for (var k = 0u; k < 3u; k++) { if x == 1u { wait(); } x = lane; }",
            "var x = 0u; var y = 0u; for (var k = 0u; k < 9u; k++) { if x == 1u { wait(); } x = y; y = lane; }",
            "var v: array<u32, 4>; v[lane % 4u] = 1u; if v[0] == 0u { workgroupBarrier(); }",
            "var x = 0u; three(&x); if x == 3u { workgroupBarrier(); }",
            "switch lane { case 1u { workgroupBarrier(); } default { } }",
            "switch param(0u) { case 1u { if lane == 3u { break; } workgroupBarrier(); } default { } }",
            "if lane < 32u { let x = workgroupUniformLoad(&together[0]); }",
            "let x = workgroupUniformLoad(&together[lane]);",
            "if select(id.x, 3u, lane == 1u) > 3u { workgroupBarrier(); }",
            "let v = vec2<u32>(id.x, lane); if v.x > 3u { workgroupBarrier(); }",
        ];
        for body in wrong {
            assert!(refused(body), "{body}");
        }
    }
}
