// dx = g f'(x) or dx = g f''(x), where y = f(x). The text of the function, `first` and `second`, precedes
// this file.
// Params: 3 entries, 8 and 9 the function's parameters.

@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> y: array<f32>;
@group(0) @binding(3) var<storage, read> g: array<f32>;
@group(0) @binding(4) var<storage, read_write> dx: array<f32>;

fn parameter(k: u32) -> f32 {
    return number(8u + k);
}

fn apply_first_at(at: u32) {
    dx[at] = g[at] * first(x[at], y[at]);
}

fn apply_second_at(at: u32) {
    dx[at] = g[at] * second(x[at], y[at]);
}
