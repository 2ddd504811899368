// The binary form of numbers: choices, signs and powers of two that no compiler's idea of arithmetic can spoil.
//
// NaN and infinities are told apart and handed on as integers only: a compiler may take it that there are none.

struct Parts {
    fraction: f32,
    exponent: i32,
}

// The binary form of |x|.
fn size_bits(x: f32) -> u32 {
    return bitcast<u32>(x) & 0x7fffffffu;
}

fn is_nan(x: f32) -> bool {
    return size_bits(x) > 0x7f800000u;
}

// x > 0, also for numbers so small that comparisons take them for 0. NaN may be anything.
fn is_positive(x: f32) -> bool {
    return bitcast<i32>(x) > 0;
}

// x < 0, which -0 is not. NaN may be anything.
fn is_negative(x: f32) -> bool {
    return bitcast<u32>(x) > 0x80000000u;
}

// Integers that are in the order of the numbers; 0 and -0 have the same.
fn order(x: f32) -> i32 {
    let size = bitcast<i32>(size_bits(x));
    return select(size, -size, bitcast<i32>(x) < 0);
}

// These two by word 0, which is 0, as no constant may be infinite or NaN.
fn infinity() -> f32 {
    return bitcast<f32>(0x7f800000u ^ word(0u));
}

fn not_a_number() -> f32 {
    return bitcast<f32>(0x7fc00000u ^ word(0u));
}

// `yes` if the condition holds, `no` otherwise; either may be infinite or NaN.
fn chosen(no: f32, yes: f32, condition: bool) -> f32 {
    return bitcast<f32>(select(bitcast<u32>(no), bitcast<u32>(yes), condition));
}

// `value`, but NaN where x is.
fn constant(value: f32, x: f32) -> f32 {
    return chosen(value, x, is_nan(x));
}

// x kept between -limit and limit. NaN may become anything.
fn limited(x: f32, limit: f32) -> f32 {
    return clamp(x, -limit, limit);
}

// |y| with the sign of x
fn with_sign_of(y: f32, x: f32) -> f32 {
    return bitcast<f32>(size_bits(y) | (bitcast<u32>(x) & 0x80000000u));
}

// x without its last 12 digits: such numbers have exact products, and so has what is missing from x.
fn high_half(x: f32) -> f32 {
    return bitcast<f32>(bitcast<u32>(x) & 0xfffff000u);
}

// 2^k for -127 < k < 128
fn power_of_two(k: i32) -> f32 {
    return bitcast<f32>(u32(k + 127) << 23u);
}

// 2^k m for a normal number m: infinite where that is too large, and below the normal numbers whatever the device makes
// of such.
fn times_power_of_two(m: f32, k: i32) -> f32 {
    let bits = bitcast<u32>(m);
    let exponent = i32((bits >> 23u) & 255u) + k;
    let without = bits & 0x807fffffu;
    // Too small: 2^64 times larger and then back, in one rounding, as far as there are such numbers.
    let enlarged = bitcast<f32>(without | (u32(max(exponent + 64, 1)) << 23u));
    let small = strict(enlarged) * 5.421010862427522e-20;
    let normal = bitcast<f32>(without | (u32(clamp(exponent, 1, 254)) << 23u));
    let y = chosen(normal, small, exponent < 1);
    return chosen(y, with_sign_of(infinity(), m), exponent > 254);
}

// |x| = 2^exponent fraction with 1 <= fraction < 2, for finite numbers other than 0.
fn parts(x: f32) -> Parts {
    let size = size_bits(x);
    // A number below the normal ones is an integer times 2^-149.
    let tiny = size < 0x00800000u;
    let bits = select(size, bitcast<u32>(f32(size)), tiny);
    let exponent = i32(bits >> 23u) - select(127, 276, tiny);
    return Parts(bitcast<f32>((bits & 0x007fffffu) | 0x3f800000u), exponent);
}
