// The order of every row: each entry counts the entries that come before it, and writes its place there.
// Params: 3 entries, 4 entries in a row, 5 is 1 if the largest come first.

@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;

// An integer that orders like the number. NaN comes after all others.
fn key(x: f32) -> i32 {
    return select(order(x), 0x7fffffff, is_nan(x));
}

fn sort_order_at(at: u32) {
    let start = at / param(4u) * param(4u);
    let current = key(x[at]);
    var rank = 0u;
    for (var k = 0u; k < param(4u); k++) {
        let other = key(x[start + k]);
        let ahead = select((other < current), (other > current), param(5u) == 1u);
        if ahead || (other == current && start + k < at) {
            rank++;
        }
    }
    y[start + rank] = f32(at - start);
}
