// y[there] = x[here], for every index of a shape: permutes, slices and concatenates.
// Words: 3 entries, 4 axes, 5 where x begins, 6 where y begins; from 8 on for every axis its size, the stride of x and of y.

@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;

@compute @workgroup_size(256)
fn copy(@builtin(workgroup_id) id: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let group = group_of(id);
    for (var k = 0u; k < 4u; k++) {
        let at = entry_of(group, k, lane);
        if at < word(3u) && is_mine(group) {
            var rest = at;
            var here = word(5u);
            var there = word(6u);
            // The first axis has what is left, and a division is slow.
            for (var axis = word(4u); axis > 1u; axis--) {
                let base = 8u + (axis - 1u) * 3u;
                let quotient = rest / word(base);
                let index = rest - quotient * word(base);
                here += index * word(base + 1u);
                there += index * word(base + 2u);
                rest = quotient;
            }
            if word(4u) > 0u {
                here += rest * word(9u);
                there += rest * word(10u);
            }
            y[there] = x[here];
        }
    }
}
