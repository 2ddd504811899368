// asinh(x)

fn value(x: f32) -> f32 {
    let size = abs(x);
    let inner = clamp(size, 0.0001, 1e9);
    let square = strict(inner * inner);
    // |x| + sqrt(1 + x^2) - 1, in which nothing cancels.
    let near = ln_1p_accurate(inner + divided(square, 1.0 + sqrt_accurate(1.0 + square)));
    let far = ln_accurate(size) + 0.69314718;
    let y = with_sign_of(chosen(near, far, size > 1e9), x);
    // x itself to the last digit below 2^-12.
    return chosen(y, x, size_bits(x) < 0x39800000u || is_nan(x));
}

// The derivatives have vanished at 1e18, and x^2 does not overflow there.
fn first(x: f32, y: f32) -> f32 {
    let inner = limited(x, 1e18);
    return constant(reciprocal_accurate(sqrt_accurate(1.0 + inner * inner)), x);
}

fn second(x: f32, y: f32) -> f32 {
    let slope = first(x, y);
    return -strict(limited(x, 1e18) * slope) * strict(slope * slope);
}
