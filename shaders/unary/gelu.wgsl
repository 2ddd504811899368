// x P(x), where P(x) = (1 + erf(x / sqrt(2))) / 2 is the normal distribution. At 100, e^(-x^2/2) is 0, also
// times x^2.

// max(x, 0) - |x| P(-|x|), for both signs of x. Nothing cancels, since the second term is at most half of the first.
fn value(x: f32) -> f32 {
    // -0 on the far left, the sign from which the value approaches 0.
    let positive_part = chosen(x, bitcast<f32>(0x80000000u), is_negative(x));
    let size = min(abs(x), 100.0);
    let weight = 0.5 * size * scaled_erfc(0.7071067811865476 * size);
    let far = positive_part - exp_of_square(size, 0.5) * weight;
    // Near 0 these roundings are as large as that of the result. There erf, which is small, is used directly.
    let half = 0.5 * x;
    let near = half + strict(half * erf_near_zero(0.7071067811865476 * limited(x, 1.0)));
    return constant(chosen(far, near, size < 0.7), x);
}

fn first(x: f32, y: f32) -> f32 {
    let inner = limited(x, 100.0);
    // P(x) is y / x, which saves the costly erfc, unless y may be subnormal or infinite.
    let ratio = chosen(divided(y, inner), 1.0, inner == 100.0);
    let distribution = chosen(ratio, 0.5 + 0.3989422804014327 * inner, abs(inner) < 1e-5);
    return constant(distribution + inner * normal_density(inner), x);
}

fn second(x: f32, y: f32) -> f32 {
    let inner = limited(x, 100.0);
    return constant(normal_density(inner) * (2.0 - inner * inner), x);
}
