// tanh(x), computed from |x|, with the sign of x.
//
// With e = e^-2|x| it is (1 - e) / (1 + e) near 0. It is 1 - 2 e / (1 + e) if the second term is at most 1/2. The
// rounding of the quotient then matters least. Nothing cancels or overflows.

fn tanh_accurate(x: f32) -> f32 {
    let size = min(abs(x), 30.0);
    let e = exp_falling(size + size);
    let near = size < 0.55;
    let q = divided(select(e.x + e.x, e.y, near), 1.0 + e.x);
    let y = with_sign_of(select(1.0 - q, q, near), x);
    // Below 2^-12 it is x to the last digit. The halves of the quotient could underflow there.
    return chosen(y, x, size_bits(x) < 0x39800000u || is_nan(x));
}
