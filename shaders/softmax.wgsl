// softmax and its logarithm over the last axis: one workgroup per row.
// Params: 3 entries in a row.

@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;

var<workgroup> numbers: array<f32, 64>;
var<workgroup> largest_at: array<u32, 64>;

// The place of the largest entry of a row. The first of equal entries is taken.
fn largest(start: u32, lane: u32) -> u32 {
    var best = 0u;
    var top = x[start];
    for (var k = lane; k < param(3u); k += 64u) {
        if x[start + k] > top {
            best = k;
            top = x[start + k];
        }
    }
    largest_at[lane] = best;
    for (var half = 32u; half > 0u; half = half / 2u) {
        workgroupBarrier();
        if lane < half {
            let mine = largest_at[lane];
            let other = largest_at[lane + half];
            let ahead = x[start + other] - x[start + mine];
            if ahead > 0.0 || (ahead == 0.0 && other < mine) {
                largest_at[lane] = other;
            }
        }
    }
    workgroupBarrier();
    return largest_at[0];
}

// The sum of e^(x - top) over all entries of a row except entry `best`.
fn others(start: u32, best: u32, lane: u32) -> f32 {
    var sum = 0.0;
    for (var k = lane; k < param(3u); k += 64u) {
        if k != best {
            sum += exp_accurate(x[start + k] - x[start + best]);
        }
    }
    numbers[lane] = sum;
    for (var half = 32u; half > 0u; half = half / 2u) {
        workgroupBarrier();
        if lane < half {
            numbers[lane] += numbers[lane + half];
        }
    }
    workgroupBarrier();
    return numbers[0];
}

@compute @workgroup_size(64)
fn softmax(@builtin(workgroup_id) id: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let group = group_of(id);
    // A surplus workgroup repeats the last row and writes nothing.
    let start = min(group, param(2u) - 1u) * param(3u);
    let best = largest(start, lane);
    let sum = 1.0 + others(start, best, lane);
    for (var k = lane; k < param(3u); k += 64u) {
        if is_mine(group) {
            y[start + k] = divided(exp_accurate(x[start + k] - x[start + best]), sum);
        }
    }
}

// The 1 of the largest entry is added by ln_1p, which keeps the digits of the others if they are small.
@compute @workgroup_size(64)
fn log_softmax(@builtin(workgroup_id) id: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let group = group_of(id);
    let start = min(group, param(2u) - 1u) * param(3u);
    let best = largest(start, lane);
    let log = ln_1p_accurate(others(start, best, lane));
    for (var k = lane; k < param(3u); k += 64u) {
        if is_mine(group) {
            y[start + k] = (x[start + k] - x[start + best]) - log;
        }
    }
}
