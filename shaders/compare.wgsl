// z = 1 where a relation holds between x and y, and else 0, broadcast. With NaN no relation holds.
// Params: 3 entries, 4 axes, 5 the relation: 0 equal, 1 less, 2 less or equal; from 8 on the size and
// the strides in x and y of every axis. A broadcast axis has stride 0.

@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> y: array<f32>;
@group(0) @binding(3) var<storage, read_write> z: array<f32>;

fn compare_at(at: u32) {
    let origin = places(at, param(4u), 8u);
    let left = x[origin.x];
    let right = y[origin.y];
    let equal = order(left) == order(right);
    let less = order(left) < order(right);
    let holds = (equal && param(5u) != 1u) || (less && param(5u) != 0u);
    z[at] = select(0.0, 1.0, holds && !is_nan(left) && !is_nan(right));
}
