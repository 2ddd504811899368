// ln(1 + e^x)

fn value(x: f32) -> f32 {
    // max(x, 0) + ln(1 + e^-|x|) is the same and never overflows.
    let positive_part = chosen(0.0, x, is_positive(x));
    return constant(positive_part + ln_1p_accurate(exp_of_sum(-abs(x), 0.0)), x);
}

fn first(x: f32, y: f32) -> f32 {
    return sigmoid_accurate(x);
}

fn second(x: f32, y: f32) -> f32 {
    let s = both_sides(x);
    return constant(s.x * s.y, x);
}
