// y = f(x). The text of the function, `value`, precedes this file.
// Params: 3 entries, 8 and 9 the function's parameters.

@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;

fn parameter(k: u32) -> f32 {
    return number(8u + k);
}

fn apply_at(at: u32) {
    y[at] = value(x[at]);
}
