// z = x where the mask is not 0, else y. The bits are copied: x and y may be infinite or NaN.
// Params: 3 entries.

@group(0) @binding(1) var<storage, read> mask: array<f32>;
@group(0) @binding(2) var<storage, read> x: array<f32>;
@group(0) @binding(3) var<storage, read> y: array<f32>;
@group(0) @binding(4) var<storage, read_write> z: array<f32>;

fn choose_at(at: u32) {
    z[at] = chosen(y[at], x[at], size_bits(mask[at]) != 0u);
}
