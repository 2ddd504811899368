// tanh(x)

fn value(x: f32) -> f32 {
    return tanh_accurate(x);
}

// 1 - y^2, factored, since the difference cancels near the ends.
fn first(x: f32, y: f32) -> f32 {
    return strict(1.0 - y) * strict(1.0 + y);
}

fn second(x: f32, y: f32) -> f32 {
    return -2.0 * y * first(x, y);
}
