// e^x and e^x - 1.
//
// x = k ln(2) + r with an integer k and |r| <= ln(2) / 2, so that e^x = 2^k e^r.

// k and r. ln(2) is a head so short that its product with k is exact, and the rest.
fn exp_reduced(x: f32) -> vec2<f32> {
    let k = round(1.4426950408889634 * x);
    return vec2<f32>(k, strict(x - k * 0.693145751953125) - k * 1.4286068203094173e-06);
}

// e^r - 1 for |r| <= ln(2) / 2
fn exp_less_one(r: f32) -> f32 {
    var q = 0.00019891080463998843;
    q = q * r + 0.0013933730715792083;
    q = q * r + 0.008333310844647862;
    q = q * r + 0.04166646419740569;
    q = q * r + 0.16666666681704215;
    q = q * r + 0.500000001353873;
    return r + strict(r * r * q);
}

// e^(x + tail), where |tail| is small beside 1. NaN may become anything.
fn exp_of_sum(x: f32, tail: f32) -> f32 {
    // Beyond these numbers it is 0 and infinite.
    let reduced = exp_reduced(clamp(x, -105.0, 89.0));
    return times_power_of_two(1.0 + strict(exp_less_one(reduced.y + tail)), i32(reduced.x));
}

// e^x
fn exp_accurate(x: f32) -> f32 {
    return constant(exp_of_sum(x, 0.0), x);
}

// e^(-scale x^2) for |x| <= 100, where the scale is a power of two. The tail of x^2 counts, since e^-w has the relative
// error that w has absolutely.
fn exp_of_square(x: f32, scale: f32) -> f32 {
    let square = strict(x * x);
    return exp_of_sum(-scale * square, scale * missing(square, x, x));
}

// e^x - 1
fn expm1_accurate(x: f32) -> f32 {
    // Below, it is -1 to the last digit, and above infinite.
    let reduced = exp_reduced(clamp(x, -30.0, 89.0));
    // Half of everything, as 2^k itself may overflow.
    let power = power_of_two(i32(reduced.x) - 1);
    let half = strict(exp_less_one(reduced.y) * power) + strict(power - 0.5);
    let y = chosen(half + half, infinity(), size_bits(x) > 0x42b20000u && is_positive(x));
    // Keeps the sign of -0, and numbers whose half is subnormal.
    return chosen(y, x, size_bits(x) < 0x33000000u || is_nan(x));
}

// e^-x and 1 - e^-x for x >= 0, both to full relative accuracy, except that e^-x stops where 1 - e^-x is 1.
fn exp_falling(x: f32) -> vec2<f32> {
    let reduced = exp_reduced(-min(x, 30.0));
    let power = power_of_two(i32(reduced.x));
    let rest = strict(power * exp_less_one(reduced.y));
    return vec2<f32>(power + rest, strict(1.0 - power) - rest);
}
