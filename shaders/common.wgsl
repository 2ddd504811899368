// What every kernel begins with: the numbers of a dispatch, and the place of a workgroup in it.
//
// Words 0 to 2 are the same for all kernels: 0, the number of the first workgroup, and the number after the last one.
// A dispatch is a part of the workgroups of a kernel, so that none takes long.

@group(0) @binding(0) var<uniform> words: array<vec4<u32>, 16>;

fn word(k: u32) -> u32 {
    return words[k / 4u][k % 4u];
}

fn number(k: u32) -> f32 {
    return bitcast<f32>(word(k));
}

// x, as something that a compiler cannot see through, so that it keeps the order of what is before and after.
fn strict(x: f32) -> f32 {
    return bitcast<f32>(bitcast<u32>(x) ^ word(0u));
}

// The number of a workgroup; `is_mine` tells whether there is anything to do for it.
fn group_of(id: vec3<u32>) -> u32 {
    return word(1u) + id.y * 32768u + id.x;
}

fn is_mine(group: u32) -> bool {
    return group < word(2u);
}

// Where the entry with number `index` is in two arrays that are gone through side by side. Their axes stand from word `first`
// on, each with its size and the stride of either array.
fn places(index: u32, axes: u32, first: u32) -> vec2<u32> {
    var rest = index;
    var places = vec2<u32>(0u, 0u);
    // The first axis has what is left, and a division is slow.
    for (var axis = axes; axis > 1u; axis--) {
        let base = first + (axis - 1u) * 3u;
        let quotient = rest / word(base);
        places += (rest - quotient * word(base)) * vec2<u32>(word(base + 1u), word(base + 2u));
        rest = quotient;
    }
    if axes > 0u {
        places += rest * vec2<u32>(word(first + 1u), word(first + 2u));
    }
    return places;
}
