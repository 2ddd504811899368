// ln(x) and ln(1 + x).
//
// x = 2^k m with sqrt(1/2) <= m < sqrt(2), so ln(x) = k ln(2) + ln(m). And ln(m) = 2 atanh(s) with
// s = (m - 1) / (m + 1). Its series in s converges fast.

// ln(|x|) + more, where `more` is tiny.
fn ln_sum(x: f32, more: f32) -> f32 {
    let p = parts(x);
    let above = p.fraction > 1.4142135;
    let m = select(p.fraction, 0.5 * p.fraction, above);
    let k = f32(select(p.exponent, p.exponent + 1, above));
    let f = strict(m - 1.0);
    let s = quotient(f, 2.0 + f);
    let z = s * s;
    var q = 0.23331614471843498;
    q = q * z + 0.28550778633191964;
    q = q * z + 0.4000012221181065;
    q = q * z + 0.6666666655404201;
    // 2 s = f - s f = f - f^2 / 2 + s f^2 / 2. f is exact, and the other terms are small compared with it.
    let square = 0.5 * f * f;
    let small = strict(s * (square + z * q)) + strict(k * 1.4286068203094173e-06 + more);
    return k * 0.693145751953125 + strict(f - strict(square - small));
}

// `y`, or ln(x) where it is infinite or NaN.
fn ln_ends(y: f32, x: f32) -> f32 {
    let size = size_bits(x);
    let right = chosen(y, x, size >= 0x7f800000u);
    let bounded = chosen(right, -infinity(), size == 0u);
    return chosen(bounded, not_a_number(), is_negative(x));
}

// ln(x)
fn ln_accurate(x: f32) -> f32 {
    return ln_ends(ln_sum(x, 0.0), x);
}

// ln(1 + x)
fn ln_1p_accurate(x: f32) -> f32 {
    let u = strict(1.0 + x);
    // The rounding error of u, from the difference of u and the larger of 1 and x.
    let of_one = 1.0 - strict(u - x);
    let of_x = x - strict(u - 1.0);
    let lost = select(of_x, of_one, x > 1.0);
    let y = ln_ends(ln_sum(u, quotient(lost, u)), u);
    // Keeps the sign of -0.
    return chosen(y, x, u == 1.0 || is_nan(x));
}
