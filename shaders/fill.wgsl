// Every entry of y is one number.
// Params: 3 entries, 4 the number.

@group(0) @binding(1) var<storage, read_write> y: array<f32>;

fn fill_at(at: u32) {
    y[at] = number(4u);
}
