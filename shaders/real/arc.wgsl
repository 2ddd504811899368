// The inverses of sine, cosine and tangent.

// asin(s) for 0 <= s <= 1/2
fn asin_near_zero(s: f32) -> f32 {
    let z = s * s;
    var q = 0.03371555206761416;
    q = q * z + 0.017135426450175194;
    q = q * z + 0.03110332781645122;
    q = q * z + 0.04459919537178034;
    q = q * z + 0.07500095088488415;
    q = q * z + 0.16666666335200928;
    return s + strict(s * z * q);
}

// asin(x) = pi/2 - 2 asin(sqrt((1 - x) / 2)), so that the series is only needed up to 1/2.
struct Arc {
    // The series at |x|, or twice the series at that root.
    angle: f32,
    near: bool,
}

fn arc_of(x: f32) -> Arc {
    let size = abs(x);
    let near = size <= 0.5;
    let s = select(sqrt_accurate(0.5 * strict(1.0 - size)), size, near);
    let angle = asin_near_zero(s);
    return Arc(select(angle + angle, angle, near), near);
}

// `y`, but NaN where |x| > 1.
fn up_to_one(y: f32, x: f32) -> f32 {
    return constant(chosen(y, not_a_number(), size_bits(x) > 0x3f800000u), x);
}

fn asin_accurate(x: f32) -> f32 {
    let arc = arc_of(x);
    // The rest of pi/2 before the small part.
    let far = 1.57079637050628662109375 - strict(arc.angle + 4.37113900018624283e-8);
    let y = with_sign_of(select(far, arc.angle, arc.near), x);
    // x itself to the last digit below 2^-12.
    return up_to_one(chosen(y, x, size_bits(x) < 0x39800000u), x);
}

fn acos_accurate(x: f32) -> f32 {
    let arc = arc_of(x);
    let middle = 1.57079637050628662109375 - strict(with_sign_of(arc.angle, x) + 4.37113900018624283e-8);
    let left = 3.1415927410125732421875 - strict(arc.angle + 8.74227800037248567e-8);
    let outside = select(arc.angle, left, is_negative(x));
    return up_to_one(select(outside, middle, arc.near), x);
}

// 1 - x^2 in factors, as it cancels near the ends.
fn one_less_square(x: f32) -> f32 {
    return strict(1.0 - x) * strict(1.0 + x);
}

// atan(t) for |t| <= tan(pi/8)
fn atan_near_zero(t: f32) -> f32 {
    let z = t * t;
    var q = -0.06449835224592496;
    q = q * z + 0.1074309966767457;
    q = q * z - 0.14263897112598675;
    q = q * z + 0.1999953879477192;
    q = q * z - 0.3333333175381697;
    return t + strict(t * z * q);
}

// atan(x) is pi/4 + atan((x - 1) / (x + 1)), and pi/2 - atan(1 / x), so that the series is only needed up to tan(pi/8).
fn atan_accurate(x: f32) -> f32 {
    let size = abs(x);
    let inner = clamp(size, 0.25, 4.0);
    let middle = 0.785398185253143310546875
        + strict(atan_near_zero(divided(strict(inner - 1.0), strict(inner + 1.0))) - 2.185569500093121415e-8);
    let right = 1.57079637050628662109375 - strict(atan_near_zero(reciprocal_accurate(max(size, 1.0))) + 4.37113900018624283e-8);
    let near = atan_near_zero(min(size, 0.5));
    let far = select(middle, right, size > 2.41421356);
    let y = with_sign_of(select(far, near, size < 0.41421356), x);
    return chosen(y, x, size_bits(x) < 0x39800000u || is_nan(x));
}
