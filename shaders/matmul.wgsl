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

// A tile of a workgroup: the number of its matrices and where they begin in x and y, and its first row and column.
struct Tile {
    batch: u32,
    start: vec2<u32>,
    row: u32,
    col: u32,
}

fn tile_of(group: u32, high: u32, wide: u32) -> Tile {
    let tiles = word(10u) * word(11u);
    let batch = group / tiles;
    let within = group % tiles;
    return Tile(batch, places(batch, word(12u), 16u), within / word(11u) * high, within % word(11u) * wide);
}

// Which row or column, of so many, and which step number k of the entries of a side is. Invocations next to each other read
// what is next to each other in memory: steps, or not.
fn line_and_step(k: u32, lines: u32, steps_are_near: bool) -> vec2<u32> {
    if steps_are_near {
        return vec2<u32>(k / STEPS, k % STEPS);
    }
    return vec2<u32>(k % lines, k / lines);
}

// Puts a tile of `high` rows of x and `wide` columns of y into xs and ys, zeros where there is nothing.
fn load(tile: Tile, high: u32, wide: u32, first_step: u32, lane: u32) {
    for (var k = lane; k < high * STEPS; k += 256u) {
        let own = line_and_step(k, high, word(7u) == 1u);
        let there = own + vec2<u32>(tile.row, first_step);
        var value = 0.0;
        if there.x < word(3u) && there.y < word(5u) {
            value = x[tile.start.x + there.x * word(6u) + there.y * word(7u)];
        }
        xs[own.y * high + own.x] = value;
    }
    for (var k = lane; k < wide * STEPS; k += 256u) {
        let own = line_and_step(k, wide, word(8u) == 1u);
        let there = own + vec2<u32>(tile.col, first_step);
        var value = 0.0;
        if there.x < word(4u) && there.y < word(5u) {
            value = y[tile.start.y + there.y * word(8u) + there.x * word(9u)];
        }
        ys[own.y * wide + own.x] = value;
    }
}

// Writes the entry at row and column of a tile, if there is one.
fn store(tile: Tile, row: u32, col: u32, value: f32) {
    let at = vec2<u32>(tile.row + row, tile.col + col);
    if at.x < word(3u) && at.y < word(4u) {
        z[(tile.batch * word(3u) + at.x) * word(4u) + at.y] = value;
    }
}

fn store_four(tile: Tile, row: u32, col: u32, values: vec4<f32>) {
    store(tile, row, col, values.x);
    store(tile, row, col + 1u, values.y);
    store(tile, row, col + 2u, values.z);
    store(tile, row, col + 3u, values.w);
}

// Tiles of 64 x 64, of which an invocation has 4 x 4.
@compute @workgroup_size(256)
fn matmul_large(@builtin(workgroup_id) id: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let group = group_of(id);
    let tile = tile_of(group, 64u, 64u);
    let row = lane / 16u * 4u;
    let col = lane % 16u * 4u;
    var sums0 = vec4<f32>();
    var sums1 = vec4<f32>();
    var sums2 = vec4<f32>();
    var sums3 = vec4<f32>();
    for (var step = 0u; step < word(5u); step += STEPS) {
        load(tile, 64u, 64u, step, lane);
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
        store_four(tile, row, col, sums0);
        store_four(tile, row + 1u, col, sums1);
        store_four(tile, row + 2u, col, sums2);
        store_four(tile, row + 3u, col, sums3);
    }
}

// Tiles of 16 x 16, of which an invocation has one entry: for small matrices.
@compute @workgroup_size(256)
fn matmul_small(@builtin(workgroup_id) id: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let group = group_of(id);
    let tile = tile_of(group, 16u, 16u);
    var sum = 0.0;
    for (var step = 0u; step < word(5u); step += STEPS) {
        load(tile, 16u, 16u, step, lane);
        workgroupBarrier();
        for (var k = 0u; k < STEPS; k++) {
            sum = fma(xs[k * 16u + lane / 16u], ys[k * 16u + lane % 16u], sum);
        }
        workgroupBarrier();
    }
    if is_mine(group) {
        store(tile, lane / 16u, lane % 16u, sum);
    }
}

// Tiles of 64 x 16, of which an invocation has 4 x 1: for many rows and few columns, such as channels.
@compute @workgroup_size(256)
fn matmul_tall(@builtin(workgroup_id) id: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let group = group_of(id);
    let tile = tile_of(group, 64u, 16u);
    let row = lane / 16u * 4u;
    let col = lane % 16u;
    var sums = vec4<f32>();
    for (var step = 0u; step < word(5u); step += STEPS) {
        load(tile, 64u, 16u, step, lane);
        workgroupBarrier();
        for (var k = 0u; k < STEPS; k++) {
            let a = k * 64u + row;
            sums = fma(vec4<f32>(xs[a], xs[a + 1u], xs[a + 2u], xs[a + 3u]), vec4<f32>(ys[k * 16u + col]), sums);
        }
        workgroupBarrier();
    }
    if is_mine(group) {
        store(tile, row, col, sums.x);
        store(tile, row + 1u, col, sums.y);
        store(tile, row + 2u, col, sums.z);
        store(tile, row + 3u, col, sums.w);
    }
}

// Tiles of 16 x 64, of which an invocation has 1 x 4: for few rows and many columns.
@compute @workgroup_size(256)
fn matmul_wide(@builtin(workgroup_id) id: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let group = group_of(id);
    let tile = tile_of(group, 16u, 64u);
    let row = lane / 16u;
    let col = lane % 16u * 4u;
    var sums = vec4<f32>();
    for (var step = 0u; step < word(5u); step += STEPS) {
        load(tile, 16u, 64u, step, lane);
        workgroupBarrier();
        for (var k = 0u; k < STEPS; k++) {
            let b = k * 64u + col;
            sums = fma(vec4<f32>(xs[k * 16u + row]), vec4<f32>(ys[b], ys[b + 1u], ys[b + 2u], ys[b + 3u]), sums);
        }
        workgroupBarrier();
    }
    if is_mine(group) {
        store_four(tile, row, col, sums);
    }
}
