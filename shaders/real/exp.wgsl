// e^x and e^x - 1.
//
// x = k ln(2) + r with an integer k and |r| <= ln(2) / 2, so that e^x = 2^k e^r.

// k and r. ln(2) is split into a head, whose product with k is exact, and a tail.
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

// e^(x + tail), where |tail| is small compared with 1. The result for NaN is undefined.
fn exp_of_sum(x: f32, tail: f32) -> f32 {
    // Beyond these limits it is 0 or infinite.
    let reduced = exp_reduced(clamp(x, -105.0, 89.0));
    return times_power_of_two(1.0 + strict(exp_less_one(reduced.y + tail)), i32(reduced.x));
}

// e^x
fn exp_accurate(x: f32) -> f32 {
    return constant(exp_of_sum(x, 0.0), x);
}

// e^(-scale x^2) for |x| <= 100, where the scale is a power of two. The tail of x^2 matters: the relative error
// of e^-w is the absolute error of w.
fn exp_of_square(x: f32, scale: f32) -> f32 {
    let square = strict(x * x);
    return exp_of_sum(-scale * square, scale * missing(square, x, x));
}

// e^x - 1
fn expm1_accurate(x: f32) -> f32 {
    // Below, it is -1 to the last digit. Above, it is infinite.
    let reduced = exp_reduced(clamp(x, -30.0, 89.0));
    // All terms are halved: 2^k alone may overflow.
    let power = power_of_two(i32(reduced.x) - 1);
    let half = strict(exp_less_one(reduced.y) * power) + strict(power - 0.5);
    let y = chosen(half + half, infinity(), size_bits(x) > 0x42b20000u && is_positive(x));
    // Keeps the sign of -0, and numbers with a subnormal half.
    return chosen(y, x, size_bits(x) < 0x33000000u || is_nan(x));
}

// e^-x and 1 - e^-x for x >= 0, both to full relative accuracy. e^-x is only accurate while 1 - e^-x is
// below 1.
fn exp_falling(x: f32) -> vec2<f32> {
    let reduced = exp_reduced(-min(x, 30.0));
    let power = power_of_two(i32(reduced.x));
    let rest = strict(power * exp_less_one(reduced.y));
    return vec2<f32>(power + rest, strict(1.0 - power) - rest);
}
