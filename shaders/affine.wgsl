// y = a x + b.
// Params: 3 entries, 4 a, 5 b.

@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;

fn affine_at(at: u32) {
    y[at] = number(4u) * x[at] + number(5u);
}
