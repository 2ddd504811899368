// ln(x). Nothing is defined for x < 0, though the formulas of the derivatives have values there.

fn value(x: f32) -> f32 {
    return ln_accurate(x);
}

fn first(x: f32, y: f32) -> f32 {
    // Without its sign, as -0 is 0 here.
    return chosen(reciprocal_accurate(abs(x)), not_a_number(), is_negative(x));
}

fn second(x: f32, y: f32) -> f32 {
    return chosen(-reciprocal_square(x), not_a_number(), is_negative(x));
}
