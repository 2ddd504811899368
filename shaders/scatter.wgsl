// x = the rows of y added up where `rows` tells. Every entry of x looks for its own, so that sums have one order.
// Words: 3 entries of x, 4 entries of a row; rows fall into segments that share nothing: 5 rows of x in one, 6 rows of y;
// of these, 7 the first that is looked at and 8 the one after the last.

@group(0) @binding(1) var<storage, read> y: array<f32>;
@group(0) @binding(2) var<storage, read> rows: array<u32>;
@group(0) @binding(3) var<storage, read_write> x: array<f32>;

@compute @workgroup_size(256)
fn scatter(@builtin(workgroup_id) id: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let group = group_of(id);
    for (var k = 0u; k < 4u; k++) {
        let at = entry_of(group, k, lane);
        if at < word(3u) && is_mine(group) {
            let row = at / word(4u);
            let first = row / word(5u) * word(6u);
            var sum = 0.0;
            for (var origin = first + word(7u); origin < first + word(8u); origin++) {
                if rows[origin] == row {
                    sum += y[origin * word(4u) + at % word(4u)];
                }
            }
            x[at] = sum;
        }
    }
}
