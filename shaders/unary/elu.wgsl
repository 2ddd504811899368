// x for x > 0, alpha (e^x - 1) for x <= 0, where alpha is parameter 0. At the kink, the derivatives are those of
// the left side.

fn value(x: f32) -> f32 {
    return chosen(parameter(0u) * expm1_accurate(x), x, is_positive(x) || is_nan(x));
}

// From e^x: y + alpha would cancel on the far left.
fn first(x: f32, y: f32) -> f32 {
    return constant(chosen(parameter(0u) * exp_of_sum(x, 0.0), 1.0, is_positive(x)), x);
}

fn second(x: f32, y: f32) -> f32 {
    return constant(chosen(parameter(0u) * exp_of_sum(x, 0.0), 0.0, is_positive(x)), x);
}
