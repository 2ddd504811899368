// y[to] = x[from] for every index of a shape: permutes, slices and concatenates.
// Params: 3 entries, 4 axes, 5 offset in x, 6 offset in y; from 8 on the size and the strides in x and y of every axis.

@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;

fn copy_at(at: u32) {
    let moved = places(at, param(4u), 8u);
    y[param(6u) + moved.y] = x[param(5u) + moved.x];
}
