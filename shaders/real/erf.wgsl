// erf(x), and e^(x^2) erfc(x) with erfc(x) = 1 - erf(x).

// e^(x^2) erfc(x) for x >= 0, which falls like 1 / x: a polynomial in t = (x - 3) / (x + 3), divided by 1 + 2 x.
//
// Times 1 + 2 x it varies little from 0 to infinity. So the roundings of t and of the higher terms matter little.
fn scaled_erfc(x: f32) -> f32 {
    // t from a form that is exact at x = 0, where the polynomial is steepest.
    let half_way = strict(quotient(x, x + 3.0));
    let t = strict(half_way + half_way) - 1.0;
    var q = 8.007454974776248e-05;
    q = q * t - 9.25376912641456e-05;
    q = q * t - 0.0007340820503933423;
    q = q * t + 0.001875060245867973;
    q = q * t + 0.0025067786718598333;
    q = q * t - 0.023763559702172088;
    q = q * t + 0.06831319671956372;
    q = q * t - 0.11927528136881009;
    q = q * t + 0.1296447209153884;
    q = q * t - 0.047562156146354076;
    q = q * t - 0.13562110005839803;
    q = q * t + 1.2530080563514496;
    return divided(q, 1.0 + (x + x));
}

// erf(x) = x + x q(x^2) for |x| < 0.7
fn erf_near_zero(x: f32) -> f32 {
    let z = x * x;
    var q = -0.0006960912081708071;
    q = q * z + 0.005139584184812626;
    q = q * z - 0.026845080049222335;
    q = q * z + 0.11283551432031645;
    q = q * z - 0.3761262884779174;
    q = q * z + 0.12837916641109168;
    return x + strict(x * q);
}

fn erf_accurate(x: f32) -> f32 {
    let near = erf_near_zero(x);
    // It is 1 to the last digit here.
    let size = min(abs(x), 10.0);
    let far = with_sign_of(1.0 - exp_of_square(size, 1.0) * scaled_erfc(size), x);
    let y = chosen(far, near, size < 0.7);
    // Below 2^-13 it is 2 / sqrt(pi) x to the last digit. The fraction of x is used, since x q(x^2) may underflow.
    let p = parts(x);
    let tiny = with_sign_of(times_power_of_two(1.1283791670955126 * p.fraction, p.exponent), x);
    let size_of_x = size_bits(x);
    return constant(chosen(chosen(y, tiny, size_of_x < 0x39000000u), x, size_of_x == 0u), x);
}
