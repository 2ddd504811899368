// The head of every kernel: the params of a dispatch, and the number of a workgroup.
//
// Params 0 to 2 are the same for all kernels: zero, the first workgroup, and the end of the range of workgroups. A
// dispatch runs a part of the workgroups of a kernel, so that it is short.

@group(0) @binding(0) var<uniform> params: array<vec4<u32>, 16>;

fn param(k: u32) -> u32 {
    return params[k / 4u][k % 4u];
}

fn number(k: u32) -> f32 {
    return bitcast<f32>(param(k));
}

// x, hidden from the compiler, so that the compiler does not reorder the operations before and after.
fn strict(x: f32) -> f32 {
    return bitcast<f32>(bitcast<u32>(x) ^ param(0u));
}

// The number of a workgroup. `is_mine` is false if the workgroup has no work.
fn group_of(id: vec3<u32>) -> u32 {
    return param(1u) + id.y * 32768u + id.x;
}

fn is_mine(group: u32) -> bool {
    return group < param(2u);
}

// The offsets of entry number `index` in two strided arrays. Their axes are in the params from `first` on: size, stride
// in the first array, stride in the second.
fn places(index: u32, axes: u32, first: u32) -> vec2<u32> {
    var rest = index;
    var places = vec2<u32>(0u, 0u);
    // The first axis takes the rest: a division is slow.
    for (var axis = axes; axis > 1u; axis--) {
        let base = first + (axis - 1u) * 3u;
        let quotient = rest / param(base);
        places += (rest - quotient * param(base)) * vec2<u32>(param(base + 1u), param(base + 2u));
        rest = quotient;
    }
    if axes > 0u {
        places += rest * vec2<u32>(param(first + 1u), param(first + 2u));
    }
    return places;
}
