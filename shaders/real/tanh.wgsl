// tanh(x): of |x|, with the sign of x.
//
// With e = e^-2|x| it is (1 - e) / (1 + e) near 0, and 1 - 2 e / (1 + e) from where that is the sum of 1 and of what is
// no larger than 1/2: so that the rounding of the quotient counts least. Nothing cancels or overflows.

fn tanh_accurate(x: f32) -> f32 {
    let size = min(abs(x), 30.0);
    let e = exp_falling(size + size);
    let near = size < 0.55;
    let q = divided(select(e.x + e.x, e.y, near), 1.0 + e.x);
    let y = with_sign_of(select(1.0 - q, q, near), x);
    // x itself to the last digit below 2^-12, where the quotient's halves could vanish.
    return chosen(y, x, size_bits(x) < 0x39800000u || is_nan(x));
}
