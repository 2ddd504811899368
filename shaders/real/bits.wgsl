// The binary form of numbers: choices, signs and powers of two that compiler optimisations of arithmetic cannot change.
//
// NaN and infinities are handled only as integers: a compiler may assume that no float is NaN or infinite.

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

// x > 0, also for subnormal numbers, which comparisons may treat as 0. The result for NaN is undefined.
fn is_positive(x: f32) -> bool {
    return bitcast<i32>(x) > 0;
}

// x < 0. It is false for -0. The result for NaN is undefined.
fn is_negative(x: f32) -> bool {
    return bitcast<u32>(x) > 0x80000000u;
}

// An integer that orders like the number. It is the same for 0 and -0.
fn order(x: f32) -> i32 {
    let size = bitcast<i32>(size_bits(x));
    return select(size, -size, bitcast<i32>(x) < 0);
}

// Both use param 0, which is 0: no constant may be infinite or NaN.
fn infinity() -> f32 {
    return bitcast<f32>(0x7f800000u ^ param(0u));
}

fn not_a_number() -> f32 {
    return bitcast<f32>(0x7fc00000u ^ param(0u));
}

// `yes` if the condition holds, else `no`. Both may be infinite or NaN.
fn chosen(no: f32, yes: f32, condition: bool) -> f32 {
    return bitcast<f32>(select(bitcast<u32>(no), bitcast<u32>(yes), condition));
}

// `value`, or NaN if x is NaN.
fn constant(value: f32, x: f32) -> f32 {
    return chosen(value, x, is_nan(x));
}

// x clamped to -limit and limit. The result for NaN is undefined.
fn limited(x: f32, limit: f32) -> f32 {
    return clamp(x, -limit, limit);
}

// |y| with the sign of x
fn with_sign_of(y: f32, x: f32) -> f32 {
    return bitcast<f32>(size_bits(y) | (bitcast<u32>(x) & 0x80000000u));
}

// x without its last 12 binary digits. Products of such numbers are exact, and so are products with the rest of x.
fn high_half(x: f32) -> f32 {
    return bitcast<f32>(bitcast<u32>(x) & 0xfffff000u);
}

// 2^k for -127 < k < 128
fn power_of_two(k: i32) -> f32 {
    return bitcast<f32>(u32(k + 127) << 23u);
}

// 2^k m for a normal number m. It is infinite if the result is too large. A subnormal result is rounded as the device
// does.
fn times_power_of_two(m: f32, k: i32) -> f32 {
    let bits = bitcast<u32>(m);
    let exponent = i32((bits >> 23u) & 255u) + k;
    let without = bits & 0x807fffffu;
    // A subnormal result is scaled by 2^64 and back, with one rounding.
    let enlarged = bitcast<f32>(without | (u32(max(exponent + 64, 1)) << 23u));
    let small = strict(enlarged) * 5.421010862427522e-20;
    let normal = bitcast<f32>(without | (u32(clamp(exponent, 1, 254)) << 23u));
    let y = chosen(normal, small, exponent < 1);
    return chosen(y, with_sign_of(infinity(), m), exponent > 254);
}

// |x| = 2^exponent fraction with 1 <= fraction < 2, for finite numbers other than 0.
fn parts(x: f32) -> Parts {
    let size = size_bits(x);
    // A subnormal number is an integer times 2^-149.
    let tiny = size < 0x00800000u;
    let bits = select(size, bitcast<u32>(f32(size)), tiny);
    let exponent = i32(bits >> 23u) - select(127, 276, tiny);
    return Parts(bitcast<f32>((bits & 0x007fffffu) | 0x3f800000u), exponent);
}
