// y = the rows of x that `rows` tells, NaN where it tells none.
// Words: 3 entries of y, 4 rows of x, 5 entries of a row.

@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> rows: array<u32>;
@group(0) @binding(3) var<storage, read_write> y: array<f32>;

fn gather_at(at: u32) {
    let row = rows[at / word(5u)];
    var value = bitcast<f32>(0x7fc00000u ^ word(0u));
    if row < word(4u) {
        value = x[row * word(5u) + at % word(5u)];
    }
    y[at] = value;
}
