// z = x y over the last two axes, batched; each operand has strides of its own, so that a transposed one is read as it is.
// Words: 3 rows, 4 columns, 5 steps, 6 and 7 strides of x along rows and steps, 8 and 9 of y along steps and columns,
// 10 tiles along the rows, 11 along the columns, 12 axes of the batch; from 16 on for every axis its size and the strides
// of x and y.

@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> y: array<f32>;
@group(0) @binding(3) var<storage, read_write> z: array<f32>;

const STEPS: u32 = 16u;

// Tiles of both operands, step by step.
var<workgroup> xs: array<f32, 1024>;
var<workgroup> ys: array<f32, 1024>;

// Where the matrices of number `batch` begin in x and y.
fn matrices(batch: u32) -> vec2<u32> {
    var rest = batch;
    var places = vec2<u32>(0u, 0u);
    for (var axis = word(12u); axis > 0u; axis--) {
        let base = 16u + (axis - 1u) * 3u;
        places += (rest % word(base)) * vec2<u32>(word(base + 1u), word(base + 2u));
        rest = rest / word(base);
    }
    return places;
}

// Puts a tile of `high` rows of x and `wide` columns of y into xs and ys, zeros where there is nothing. Invocations next to
// each other read what is next to each other in memory.
fn load(high: u32, wide: u32, first_row: u32, first_col: u32, first_step: u32, start: vec2<u32>, lane: u32) {
    for (var k = lane; k < high * STEPS; k += 256u) {
        var row = k % high;
        var step = k / high;
        if word(7u) == 1u {
            row = k / STEPS;
            step = k % STEPS;
        }
        var value = 0.0;
        if first_row + row < word(3u) && first_step + step < word(5u) {
            value = x[start.x + (first_row + row) * word(6u) + (first_step + step) * word(7u)];
        }
        xs[step * high + row] = value;
    }
    for (var k = lane; k < wide * STEPS; k += 256u) {
        var col = k % wide;
        var step = k / wide;
        if word(8u) == 1u {
            col = k / STEPS;
            step = k % STEPS;
        }
        var value = 0.0;
        if first_col + col < word(4u) && first_step + step < word(5u) {
            value = y[start.y + (first_step + step) * word(8u) + (first_col + col) * word(9u)];
        }
        ys[step * wide + col] = value;
    }
}

fn store(batch: u32, row: u32, col: u32, value: f32) {
    if row < word(3u) && col < word(4u) {
        z[(batch * word(3u) + row) * word(4u) + col] = value;
    }
}

fn store_four(batch: u32, row: u32, col: u32, values: vec4<f32>) {
    store(batch, row, col, values.x);
    store(batch, row, col + 1u, values.y);
    store(batch, row, col + 2u, values.z);
    store(batch, row, col + 3u, values.w);
}

// Tiles of 64 x 64, of which an invocation has 4 x 4.
@compute @workgroup_size(256)
fn matmul_large(@builtin(workgroup_id) id: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let group = group_of(id);
    let batch = group / (word(10u) * word(11u));
    let tile = group % (word(10u) * word(11u));
    let first_row = tile / word(11u) * 64u;
    let first_col = tile % word(11u) * 64u;
    let start = matrices(batch);
    let row = lane / 16u * 4u;
    let col = lane % 16u * 4u;
    var sums0 = vec4<f32>();
    var sums1 = vec4<f32>();
    var sums2 = vec4<f32>();
    var sums3 = vec4<f32>();
    for (var step = 0u; step < word(5u); step += STEPS) {
        load(64u, 64u, first_row, first_col, step, start, lane);
        workgroupBarrier();
        for (var k = 0u; k < STEPS; k++) {
            let a = k * 64u + row;
            let b = k * 64u + col;
            let right = vec4<f32>(ys[b], ys[b + 1u], ys[b + 2u], ys[b + 3u]);
            sums0 = fma(vec4<f32>(xs[a]), right, sums0);
            sums1 = fma(vec4<f32>(xs[a + 1u]), right, sums1);
            sums2 = fma(vec4<f32>(xs[a + 2u]), right, sums2);
            sums3 = fma(vec4<f32>(xs[a + 3u]), right, sums3);
        }
        workgroupBarrier();
    }
    if is_mine(group) {
        store_four(batch, first_row + row, first_col + col, sums0);
        store_four(batch, first_row + row + 1u, first_col + col, sums1);
        store_four(batch, first_row + row + 2u, first_col + col, sums2);
        store_four(batch, first_row + row + 3u, first_col + col, sums3);
    }
}

// Tiles of 16 x 16, of which an invocation has one entry: for small matrices.
@compute @workgroup_size(256)
fn matmul_small(@builtin(workgroup_id) id: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let group = group_of(id);
    let batch = group / (word(10u) * word(11u));
    let tile = group % (word(10u) * word(11u));
    let first_row = tile / word(11u) * 16u;
    let first_col = tile % word(11u) * 16u;
    let start = matrices(batch);
    var sum = 0.0;
    for (var step = 0u; step < word(5u); step += STEPS) {
        load(16u, 16u, first_row, first_col, step, start, lane);
        workgroupBarrier();
        for (var k = 0u; k < STEPS; k++) {
            sum = fma(xs[k * 16u + lane / 16u], ys[k * 16u + lane % 16u], sum);
        }
        workgroupBarrier();
    }
    if is_mine(group) {
        store(batch, first_row + lane / 16u, first_col + lane % 16u, sum);
    }
}

// Tiles of 64 x 16, of which an invocation has 4 x 1: for many rows and few columns, such as channels.
@compute @workgroup_size(256)
fn matmul_tall(@builtin(workgroup_id) id: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let group = group_of(id);
    let batch = group / (word(10u) * word(11u));
    let tile = group % (word(10u) * word(11u));
    let first_row = tile / word(11u) * 64u;
    let first_col = tile % word(11u) * 16u;
    let start = matrices(batch);
    let row = lane / 16u * 4u;
    let col = lane % 16u;
    var sums = vec4<f32>();
    for (var step = 0u; step < word(5u); step += STEPS) {
        load(64u, 16u, first_row, first_col, step, start, lane);
        workgroupBarrier();
        for (var k = 0u; k < STEPS; k++) {
            let a = k * 64u + row;
            sums = fma(vec4<f32>(xs[a], xs[a + 1u], xs[a + 2u], xs[a + 3u]), vec4<f32>(ys[k * 16u + col]), sums);
        }
        workgroupBarrier();
    }
    if is_mine(group) {
        store(batch, first_row + row, first_col + col, sums.x);
        store(batch, first_row + row + 1u, first_col + col, sums.y);
        store(batch, first_row + row + 2u, first_col + col, sums.z);
        store(batch, first_row + row + 3u, first_col + col, sums.w);
    }
}

// Tiles of 16 x 64, of which an invocation has 1 x 4: for few rows and many columns.
@compute @workgroup_size(256)
fn matmul_wide(@builtin(workgroup_id) id: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let group = group_of(id);
    let batch = group / (word(10u) * word(11u));
    let tile = group % (word(10u) * word(11u));
    let first_row = tile / word(11u) * 16u;
    let first_col = tile % word(11u) * 64u;
    let start = matrices(batch);
    let row = lane / 16u;
    let col = lane % 16u * 4u;
    var sums = vec4<f32>();
    for (var step = 0u; step < word(5u); step += STEPS) {
        load(16u, 64u, first_row, first_col, step, start, lane);
        workgroupBarrier();
        for (var k = 0u; k < STEPS; k++) {
            let b = k * 64u + col;
            sums = fma(vec4<f32>(xs[k * 16u + row]), vec4<f32>(ys[b], ys[b + 1u], ys[b + 2u], ys[b + 3u]), sums);
        }
        workgroupBarrier();
    }
    if is_mine(group) {
        store_four(batch, first_row + row, first_col + col, sums);
    }
}
