// A rectangle of z += a number times x.
// Words: 3 entries of x, 4 columns of x, 5 entries of z between rows, 6 where the rectangle begins, 7 the number.

@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read_write> z: array<f32>;

@compute @workgroup_size(256)
fn accumulate(@builtin(workgroup_id) id: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let group = group_of(id);
    for (var k = 0u; k < 4u; k++) {
        let at = entry_of(group, k, lane);
        if at < word(3u) && is_mine(group) {
            z[word(6u) + at / word(4u) * word(5u) + at % word(4u)] += number(7u) * x[at];
        }
    }
}
