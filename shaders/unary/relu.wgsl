// max(x, 0). The derivative at the kink is 0.

fn value(x: f32) -> f32 {
    return chosen(0.0, x, is_positive(x) || is_nan(x));
}

fn first(x: f32, y: f32) -> f32 {
    return constant(select(0.0, 1.0, is_positive(x)), x);
}

fn second(x: f32, y: f32) -> f32 {
    return constant(0.0, x);
}
