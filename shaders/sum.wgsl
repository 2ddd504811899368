// y = the sum of x over some axes.
// Params: 3 sums, 4 entries per sum, 5 kept axes, 6 summed axes, 7 parts per sum; from 8 on the size and the stride in
// x of every axis, kept axes first.

@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;

var<workgroup> partial: array<f32, 128>;

// The offset of entry number `index` along `count` axes, of which the first is `first`.
fn place(index: u32, first: u32, count: u32) -> u32 {
    var rest = index;
    var at = 0u;
    // The first axis takes the rest: a division is slow.
    for (var axis = first + count; axis > first + 1u; axis--) {
        let base = 8u + (axis - 1u) * 2u;
        let quotient = rest / param(base);
        at += (rest - quotient * param(base)) * param(base + 1u);
        rest = quotient;
    }
    if count > 0u {
        at += rest * param(8u + first * 2u + 1u);
    }
    return at;
}

// Few entries per sum: one invocation per sum.
@compute @workgroup_size(128)
fn sum_few(@builtin(workgroup_id) id: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let group = group_of(id);
    let at = group * 128u + lane;
    if at < param(3u) && is_mine(group) {
        let start = place(at, 0u, param(5u));
        var total = 0.0;
        for (var k = 0u; k < param(4u); k++) {
            total += x[start + place(k, param(5u), param(6u))];
        }
        y[at] = total;
    }
}

// Many entries per sum: one workgroup per sum, or per part of a sum. The parts of a sum are contiguous in y.
@compute @workgroup_size(128)
fn sum_many(@builtin(workgroup_id) id: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let group = group_of(id);
    var total = 0.0;
    if is_mine(group) {
        let start = place(group / param(7u), 0u, param(5u));
        for (var k = group % param(7u) * 128u + lane; k < param(4u); k += param(7u) * 128u) {
            total += x[start + place(k, param(5u), param(6u))];
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
