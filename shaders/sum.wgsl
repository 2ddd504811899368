// y = the sum of x over some axes.
// Words: 3 sums, 4 entries of x that are summed for each, 5 and 6 the axes that stay and those that go, 7 parts of a sum;
// from 8 on for every axis its size and stride in x, those that stay first.

@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;

var<workgroup> partial: array<f32, 128>;

// Where number `index` of the entries along `count` axes is, the first of which is `first`.
fn place(index: u32, first: u32, count: u32) -> u32 {
    var rest = index;
    var at = 0u;
    // The first axis has what is left, and a division is slow.
    for (var axis = first + count; axis > first + 1u; axis--) {
        let base = 8u + (axis - 1u) * 2u;
        let quotient = rest / word(base);
        at += (rest - quotient * word(base)) * word(base + 1u);
        rest = quotient;
    }
    if count > 0u {
        at += rest * word(8u + first * 2u + 1u);
    }
    return at;
}

// Few entries for each sum: an invocation for each.
@compute @workgroup_size(128)
fn sum_few(@builtin(workgroup_id) id: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let group = group_of(id);
    let at = group * 128u + lane;
    if at < word(3u) && is_mine(group) {
        let start = place(at, 0u, word(5u));
        var total = 0.0;
        for (var k = 0u; k < word(4u); k++) {
            total += x[start + place(k, word(5u), word(6u))];
        }
        y[at] = total;
    }
}

// Many entries for each sum: a workgroup for each, or for each of its parts, which y has side by side.
@compute @workgroup_size(128)
fn sum_many(@builtin(workgroup_id) id: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let group = group_of(id);
    var total = 0.0;
    if is_mine(group) {
        let start = place(group / word(7u), 0u, word(5u));
        for (var k = group % word(7u) * 128u + lane; k < word(4u); k += word(7u) * 128u) {
            total += x[start + place(k, word(5u), word(6u))];
        }
    }
    partial[lane] = total;
    for (var half = 64u; half > 0u; half = half / 2u) {
        workgroupBarrier();
        if lane < half {
            partial[lane] += partial[lane + half];
        }
    }
    if lane == 0u && is_mine(group) {
        y[group] = partial[0];
    }
}
