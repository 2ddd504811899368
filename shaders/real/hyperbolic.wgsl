// sinh(x) and cosh(x), by e^|x|, which may overflow where half of it does not.

// e^x / 2 for x >= 20
fn half_exp(x: f32) -> f32 {
    let root = exp_of_sum(0.5 * min(x, 90.0), 0.0);
    return chosen(strict(0.5 * root) * root, infinity(), size_bits(x) >= 0x42b40000u);
}

fn sinh_accurate(x: f32) -> f32 {
    let size = abs(x);
    // With m = e^|x| - 1 it is (m + m / (1 + m)) / 2, in which nothing cancels.
    let m = expm1_accurate(clamp(size, 0.0001, 20.0));
    let near = 0.5 * (m + divided(m, 1.0 + m));
    let y = with_sign_of(chosen(near, half_exp(size), size > 20.0), x);
    // x itself to the last digit below 2^-12.
    return chosen(y, x, size_bits(x) < 0x39800000u || is_nan(x));
}

fn cosh_accurate(x: f32) -> f32 {
    let size = abs(x);
    let e = exp_of_sum(min(size, 20.0), 0.0);
    let near = 0.5 * (e + divided(1.0, e));
    return constant(chosen(near, half_exp(size), size > 20.0), x);
}
