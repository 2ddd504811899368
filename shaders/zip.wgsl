// z = x + y, z = x y, or 1 where x = y and else 0, broadcast.
// Words: 3 entries, 4 axes; from 8 on for every axis its size, the stride of x and of y, 0 where it is stretched.

@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> y: array<f32>;
@group(0) @binding(3) var<storage, read_write> z: array<f32>;

// Where entry `at` of z comes from in x and in y.
fn places(at: u32) -> vec2<u32> {
    var rest = at;
    var places = vec2<u32>(0u, 0u);
    // The first axis has what is left, and a division is slow.
    for (var axis = word(4u); axis > 1u; axis--) {
        let base = 8u + (axis - 1u) * 3u;
        let quotient = rest / word(base);
        places += (rest - quotient * word(base)) * vec2<u32>(word(base + 1u), word(base + 2u));
        rest = quotient;
    }
    if word(4u) > 0u {
        places += rest * vec2<u32>(word(9u), word(10u));
    }
    return places;
}

@compute @workgroup_size(256)
fn add(@builtin(workgroup_id) id: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let group = group_of(id);
    for (var k = 0u; k < 4u; k++) {
        let at = entry_of(group, k, lane);
        if at < word(3u) && is_mine(group) {
            let origin = places(at);
            z[at] = x[origin.x] + y[origin.y];
        }
    }
}

@compute @workgroup_size(256)
fn mul(@builtin(workgroup_id) id: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let group = group_of(id);
    for (var k = 0u; k < 4u; k++) {
        let at = entry_of(group, k, lane);
        if at < word(3u) && is_mine(group) {
            let origin = places(at);
            z[at] = x[origin.x] * y[origin.y];
        }
    }
}

@compute @workgroup_size(256)
fn equal(@builtin(workgroup_id) id: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let group = group_of(id);
    for (var k = 0u; k < 4u; k++) {
        let at = entry_of(group, k, lane);
        if at < word(3u) && is_mine(group) {
            let origin = places(at);
            z[at] = select(0.0, 1.0, x[origin.x] == y[origin.y]);
        }
    }
}
