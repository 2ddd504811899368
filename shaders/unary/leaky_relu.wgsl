// x for x > 0, slope x for x <= 0, where the slope is parameter 0. At the kink, the derivatives are those of the
// left side.

fn value(x: f32) -> f32 {
    // 0 times -infinity would be NaN.
    let left = chosen(parameter(0u) * x, 0.0, size_bits(parameter(0u)) == 0u);
    return chosen(left, x, is_positive(x) || is_nan(x));
}

fn first(x: f32, y: f32) -> f32 {
    return constant(select(parameter(0u), 1.0, is_positive(x)), x);
}

fn second(x: f32, y: f32) -> f32 {
    return constant(0.0, x);
}
