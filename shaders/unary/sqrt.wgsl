// sqrt(x)

fn value(x: f32) -> f32 {
    return sqrt_accurate(x);
}

// 1 / (2 y), without the sign of sqrt(-0).
fn first(x: f32, y: f32) -> f32 {
    let size = size_bits(y);
    let slope = chosen(divided(0.5, abs(y)), infinity(), size == 0u);
    let ended = chosen(slope, 0.0, size == 0x7f800000u);
    return chosen(constant(ended, x), not_a_number(), is_negative(x));
}

// -1 / (4 x y), but without the product x y, which can overflow or underflow when the derivative does not.
fn second(x: f32, y: f32) -> f32 {
    return strict(-0.5 * first(x, y)) * reciprocal_accurate(abs(x));
}
