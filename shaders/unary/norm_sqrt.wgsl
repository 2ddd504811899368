// sqrt(x), with both derivatives 0 at x = 0.

fn value(x: f32) -> f32 {
    return sqrt_accurate(x);
}

// 1 / (2 y)
fn first(x: f32, y: f32) -> f32 {
    let size = size_bits(y);
    let slope = chosen(divided(0.5, abs(y)), 0.0, size == 0u || size == 0x7f800000u);
    return chosen(constant(slope, x), not_a_number(), is_negative(x));
}

// -1 / (4 x y), but not by x * y, which overflows and vanishes where the derivative does not.
fn second(x: f32, y: f32) -> f32 {
    let bend = strict(-0.5 * first(x, y)) * reciprocal_accurate(abs(x));
    return chosen(bend, 0.0, size_bits(x) == 0u);
}
