// z = x + y, z = x y, or 1 where x = y and else 0, broadcast.
// Words: 3 entries, 4 axes; from 8 on for every axis its size, the stride of x and of y, 0 where it is stretched.

@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> y: array<f32>;
@group(0) @binding(3) var<storage, read_write> z: array<f32>;

fn add_at(at: u32) {
    let origin = places(at, word(4u), 8u);
    z[at] = x[origin.x] + y[origin.y];
}

fn mul_at(at: u32) {
    let origin = places(at, word(4u), 8u);
    z[at] = x[origin.x] * y[origin.y];
}

fn equal_at(at: u32) {
    let origin = places(at, word(4u), 8u);
    z[at] = select(0.0, 1.0, x[origin.x] == y[origin.y]);
}
