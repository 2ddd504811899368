// y = the rows of x that `rows` tells, NaN where it tells none.
// Words: 3 entries of y, 4 rows of x, 5 entries of a row.

@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> rows: array<u32>;
@group(0) @binding(3) var<storage, read_write> y: array<f32>;

@compute @workgroup_size(256)
fn gather(@builtin(workgroup_id) id: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let group = group_of(id);
    for (var k = 0u; k < 4u; k++) {
        let at = entry_of(group, k, lane);
        if at < word(3u) && is_mine(group) {
            let row = rows[at / word(5u)];
            var value = bitcast<f32>(0x7fc00000u ^ word(0u));
            if row < word(4u) {
                value = x[row * word(5u) + at % word(5u)];
            }
            y[at] = value;
        }
    }
}
