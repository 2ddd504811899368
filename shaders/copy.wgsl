// y[there] = x[here], for every index of a shape: permutes, slices and concatenates.
// Words: 3 entries, 4 axes, 5 where x begins, 6 where y begins; from 8 on for every axis its size, the stride of x and of y.

@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;

fn copy_at(at: u32) {
    let moved = places(at, word(4u), 8u);
    y[word(6u) + moved.y] = x[word(5u) + moved.x];
}
