// x = the rows of y added up where `rows` tells. Every entry of x looks for its own, so that sums have one order.
// Words: 3 entries of x, 4 entries of a row; rows fall into segments that share nothing: 5 rows of x in one, 6 rows of y;
// of these, 7 the first that is looked at and 8 the one after the last.

@group(0) @binding(1) var<storage, read> y: array<f32>;
@group(0) @binding(2) var<storage, read> rows: array<u32>;
@group(0) @binding(3) var<storage, read_write> x: array<f32>;

fn scatter_at(at: u32) {
    let row = at / word(4u);
    let first = row / word(5u) * word(6u);
    var sum = 0.0;
    for (var origin = first + word(7u); origin < first + word(8u); origin++) {
        if rows[origin] == row {
            sum += y[origin * word(4u) + at % word(4u)];
        }
    }
    x[at] = sum;
}
