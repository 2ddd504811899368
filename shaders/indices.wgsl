// Numbers as row numbers of a table; what is no row becomes the largest number there is.
// Words: 3 entries, 4 rows of the table, 5 entries of a sample, 6 whether every sample has a table of its own.

@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read_write> rows: array<u32>;

fn indices_at(at: u32) {
    let value = x[at];
    var row = 0xffffffffu;
    // A comparison with NaN is false. Whole numbers beyond 2^24 are all there are.
    if value >= 0.0 && value < f32(word(4u)) && floor(value) == value {
        row = u32(value);
    }
    if row >= word(4u) {
        row = 0xffffffffu;
    } else if word(6u) == 1u {
        row += at / word(5u) * word(4u);
    }
    rows[at] = row;
}
