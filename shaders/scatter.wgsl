// x = the rows of y added at the numbers in `rows`. Every entry of x searches for its own number, so that the order of
// a sum is fixed. Params: 3 entries of x, 4 entries of a row, 5 rows of x per segment, 6 rows of y per segment, 7 and 8
// the range of a segment's rows of y that is searched.

@group(0) @binding(1) var<storage, read> y: array<f32>;
@group(0) @binding(2) var<storage, read> rows: array<u32>;
@group(0) @binding(3) var<storage, read_write> x: array<f32>;

fn scatter_at(at: u32) {
    let row = at / param(4u);
    let first = row / param(5u) * param(6u);
    var sum = 0.0;
    for (var origin = first + param(7u); origin < first + param(8u); origin++) {
        if rows[origin] == row {
            sum += y[origin * param(4u) + at % param(4u)];
        }
    }
    x[at] = sum;
}
