// z = x + y, z = x y, or 1 where x = y and else 0, broadcast.
// Params: 3 entries, 4 axes; from 8 on the size and the strides in x and y of every axis. A broadcast axis has stride
// 0.

@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> y: array<f32>;
@group(0) @binding(3) var<storage, read_write> z: array<f32>;

fn add_at(at: u32) {
    let origin = places(at, param(4u), 8u);
    z[at] = x[origin.x] + y[origin.y];
}

fn mul_at(at: u32) {
    let origin = places(at, param(4u), 8u);
    z[at] = x[origin.x] * y[origin.y];
}

fn equal_at(at: u32) {
    let origin = places(at, param(4u), 8u);
    z[at] = select(0.0, 1.0, x[origin.x] == y[origin.y]);
}
