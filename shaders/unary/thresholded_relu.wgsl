// x above parameter 0, alpha; 0 up to it.

fn value(x: f32) -> f32 {
    return constant(chosen(0.0, x, order(x) > order(parameter(0u))), x);
}

fn first(x: f32, y: f32) -> f32 {
    return constant(select(0.0, 1.0, order(x) > order(parameter(0u))), x);
}

fn second(x: f32, y: f32) -> f32 {
    return constant(0.0, x);
}
