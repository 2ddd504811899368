// 1 / x and its powers over the whole range. Fraction and exponent are treated separately, so that no intermediate
// number overflows or underflows unless the result does.

// 1 / m for 1 <= m < 2, and its relative error.
fn reciprocal_of_fraction(m: f32) -> vec2<f32> {
    let r = strict(divided(1.0, m));
    return vec2<f32>(r, missing(1.0, r, m));
}

// `y`, or the limit of a power of 1 / |x| at 0 and at infinity.
fn reciprocal_ends(y: f32, x: f32) -> f32 {
    let size = size_bits(x);
    let bounded = chosen(chosen(y, infinity(), size == 0u), 0.0, size == 0x7f800000u);
    return constant(bounded, x);
}

// 1 / x
fn reciprocal_accurate(x: f32) -> f32 {
    let p = parts(x);
    let y = times_power_of_two(divided(1.0, p.fraction), -p.exponent);
    return with_sign_of(reciprocal_ends(y, x), x);
}

// 1 / x^2
fn reciprocal_square(x: f32) -> f32 {
    let p = parts(x);
    let r = reciprocal_of_fraction(p.fraction);
    let square = strict(r.x * r.x);
    return reciprocal_ends(times_power_of_two(square + square * (2.0 * r.y), -2 * p.exponent), x);
}

// 1 / |x|^3
fn reciprocal_cube(x: f32) -> f32 {
    let p = parts(x);
    let r = reciprocal_of_fraction(p.fraction);
    let cube = strict(strict(r.x * r.x) * r.x);
    return reciprocal_ends(times_power_of_two(cube + cube * (3.0 * r.y), -3 * p.exponent), x);
}
