// dx = g f'(x) or dx = g f''(x), where y = f(x). The function's `first` and `second` stand before this text.
// Words: 3 entries, 8 and 9 the function's own numbers.

@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> y: array<f32>;
@group(0) @binding(3) var<storage, read> g: array<f32>;
@group(0) @binding(4) var<storage, read_write> dx: array<f32>;

fn parameter(k: u32) -> f32 {
    return number(8u + k);
}

@compute @workgroup_size(256)
fn apply_first(@builtin(workgroup_id) id: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let group = group_of(id);
    for (var k = 0u; k < 4u; k++) {
        let at = entry_of(group, k, lane);
        if at < word(3u) && is_mine(group) {
            dx[at] = g[at] * first(x[at], y[at]);
        }
    }
}

@compute @workgroup_size(256)
fn apply_second(@builtin(workgroup_id) id: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let group = group_of(id);
    for (var k = 0u; k < 4u; k++) {
        let at = entry_of(group, k, lane);
        if at < word(3u) && is_mine(group) {
            dx[at] = g[at] * second(x[at], y[at]);
        }
    }
}
