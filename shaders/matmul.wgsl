// z = x y over the last two axes, batched. Operands are strided, so a transposed operand needs no copy.
// Params: 3 rows, 4 columns, 5 steps, 6 and 7 strides of x along rows and steps, 8 and 9 strides of y along steps and
// columns, 10 and 11 tiles along rows and columns, 12 axes of the batch; from 16 on the size and the strides in x and y
// of every axis.

@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> y: array<f32>;
@group(0) @binding(3) var<storage, read_write> z: array<f32>;

const STEPS: u32 = 16u;

// Tiles of both operands, step by step.
var<workgroup> xs: array<f32, 1024>;
var<workgroup> ys: array<f32, 1024>;

// The tile of a workgroup: the number of its matrix, the offsets of that matrix in x and y, its first row and column.
struct Tile {
    batch: u32,
    start: vec2<u32>,
    row: u32,
    col: u32,
}

fn tile_of(group: u32, high: u32, wide: u32) -> Tile {
    let tiles = param(10u) * param(11u);
    let batch = group / tiles;
    let within = group % tiles;
    return Tile(batch, places(batch, param(12u), 16u), within / param(11u) * high, within % param(11u) * wide);
}

// The row (or column) and the step of entry number k of an operand's tile. Neighbouring invocations read neighbouring
// entries in memory, along steps or along rows.
fn line_and_step(k: u32, lines: u32, steps_are_near: bool) -> vec2<u32> {
    if steps_are_near {
        return vec2<u32>(k / STEPS, k % STEPS);
    }
    return vec2<u32>(k % lines, k / lines);
}

// Loads a tile of `high` rows of x and `wide` columns of y into xs and ys, with zeros beyond the edges.
fn load(tile: Tile, high: u32, wide: u32, first_step: u32, lane: u32) {
    for (var k = lane; k < high * STEPS; k += 256u) {
        let own = line_and_step(k, high, param(7u) == 1u);
        let there = own + vec2<u32>(tile.row, first_step);
        var value = 0.0;
        if there.x < param(3u) && there.y < param(5u) {
            value = x[tile.start.x + there.x * param(6u) + there.y * param(7u)];
        }
        xs[own.y * high + own.x] = value;
    }
    for (var k = lane; k < wide * STEPS; k += 256u) {
        let own = line_and_step(k, wide, param(8u) == 1u);
        let there = own + vec2<u32>(tile.col, first_step);
        var value = 0.0;
        if there.x < param(4u) && there.y < param(5u) {
            value = y[tile.start.y + there.y * param(8u) + there.x * param(9u)];
        }
        ys[own.y * wide + own.x] = value;
    }
}

// Writes the entry at a row and column of a tile, if it is inside z.
fn store(tile: Tile, row: u32, col: u32, value: f32) {
    let at = vec2<u32>(tile.row + row, tile.col + col);
    if at.x < param(3u) && at.y < param(4u) {
        z[(tile.batch * param(3u) + at.x) * param(4u) + at.y] = value;
    }
}

fn store_four(tile: Tile, row: u32, col: u32, values: vec4<f32>) {
    store(tile, row, col, values.x);
    store(tile, row, col + 1u, values.y);
    store(tile, row, col + 2u, values.z);
    store(tile, row, col + 3u, values.w);
}

// Tiles of 64 x 64, 4 x 4 per invocation.
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
    for (var step = 0u; step < param(5u); step += STEPS) {
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

// Tiles of 16 x 16, one entry per invocation, for small matrices.
@compute @workgroup_size(256)
fn matmul_small(@builtin(workgroup_id) id: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let group = group_of(id);
    let tile = tile_of(group, 16u, 16u);
    var sum = 0.0;
    for (var step = 0u; step < param(5u); step += STEPS) {
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

// Tiles of 64 x 16, 4 x 1 per invocation, for many rows and few columns, such as channels.
@compute @workgroup_size(256)
fn matmul_tall(@builtin(workgroup_id) id: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let group = group_of(id);
    let tile = tile_of(group, 64u, 16u);
    let row = lane / 16u * 4u;
    let col = lane % 16u;
    var sums = vec4<f32>();
    for (var step = 0u; step < param(5u); step += STEPS) {
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

// Tiles of 16 x 64, 1 x 4 per invocation, for few rows and many columns.
@compute @workgroup_size(256)
fn matmul_wide(@builtin(workgroup_id) id: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let group = group_of(id);
    let tile = tile_of(group, 16u, 64u);
    let row = lane / 16u;
    let col = lane % 16u * 4u;
    var sums = vec4<f32>();
    for (var step = 0u; step < param(5u); step += STEPS) {
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
