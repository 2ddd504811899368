// ln(x). The derivatives are NaN for x < 0, although their formulas have values there.

fn value(x: f32) -> f32 {
    return ln_accurate(x);
}

fn first(x: f32, y: f32) -> f32 {
    // Without the sign: -0 counts as 0.
    return chosen(reciprocal_accurate(abs(x)), not_a_number(), is_negative(x));
}

fn second(x: f32, y: f32) -> f32 {
    return chosen(-reciprocal_square(x), not_a_number(), is_negative(x));
}
