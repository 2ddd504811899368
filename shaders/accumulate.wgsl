// Adds a multiple of x to a rectangle of z.
// Params: 3 entries of x, 4 columns of x, 5 entries from row to row of z, 6 offset of the rectangle, 7 the factor.

@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read_write> z: array<f32>;

fn accumulate_at(at: u32) {
    z[param(6u) + at / param(4u) * param(5u) + at % param(4u)] += number(7u) * x[at];
}
