// |x|. The derivative at the kink is 0.

fn value(x: f32) -> f32 {
    return bitcast<f32>(size_bits(x));
}

fn first(x: f32, y: f32) -> f32 {
    return constant(select(0.0, with_sign_of(1.0, x), size_bits(x) > 0u), x);
}

fn second(x: f32, y: f32) -> f32 {
    return constant(0.0, x);
}
