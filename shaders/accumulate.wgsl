// A rectangle of z += a number times x.
// Words: 3 entries of x, 4 columns of x, 5 entries of z between rows, 6 where the rectangle begins, 7 the number.

@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read_write> z: array<f32>;

fn accumulate_at(at: u32) {
    z[word(6u) + at / word(4u) * word(5u) + at % word(4u)] += number(7u) * x[at];
}
