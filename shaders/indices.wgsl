// Numbers as row numbers of a table. An invalid number becomes the largest u32.
// Params: 3 entries, 4 rows of the table, 5 entries of a sample, 6 is 1 if every sample has a table of its own.

@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read_write> rows: array<u32>;

fn indices_at(at: u32) {
    let value = x[at];
    var row = 0xffffffffu;
    // A comparison with NaN is false. All floats beyond 2^24 are whole.
    if value >= 0.0 && value < f32(param(4u)) && floor(value) == value {
        row = u32(value);
    }
    if row >= param(4u) {
        row = 0xffffffffu;
    } else if param(6u) == 1u {
        row += at / param(5u) * param(4u);
    }
    rows[at] = row;
}
