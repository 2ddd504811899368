// atanh(x)

fn value(x: f32) -> f32 {
    let size = abs(x);
    let inner = clamp(size, 0.0001, 0.99999994);
    let inside = 0.5 * ln_1p_accurate(divided(inner + inner, 1.0 - inner));
    let y = with_sign_of(chosen(inside, infinity(), size_bits(x) == 0x3f800000u), x);
    // x itself to the last digit below 2^-12.
    return up_to_one(chosen(y, x, size_bits(x) < 0x39800000u), x);
}

fn first(x: f32, y: f32) -> f32 {
    return up_to_one(reciprocal_accurate(one_less_square(x)), x);
}

fn second(x: f32, y: f32) -> f32 {
    let slope = first(x, y);
    return 2.0 * strict(x * slope) * slope;
}
