// x^p for x >= 0, where p is parameter 0 plus what rounding took from it, parameter 1.

// ln(x) and the rest that rounding took from it; as `ln_sum`.
fn ln_pair(x: f32) -> vec2<f32> {
    let p = parts(x);
    let above = p.fraction > 1.4142135;
    let m = select(p.fraction, 0.5 * p.fraction, above);
    let k = f32(select(p.exponent, p.exponent + 1, above));
    let f = strict(m - 1.0);
    let below = strict(2.0 + f);
    let lost = f - strict(below - 2.0);
    let s = strict(divided(f, below));
    let rest = quotient(missing(f, s, below) - s * lost, below);
    let z = s * s;
    var q = 0.23331614471843498;
    q = q * z + 0.28550778633191964;
    q = q * z + 0.4000012221181065;
    q = q * z + 0.6666666655404201;
    let small = strict(s * z * q) + strict(rest + rest) + k * 1.4286068203094173e-06;
    // The larger of the two comes first.
    let whole = k * 0.693145751953125;
    let series = s + s;
    let sum = strict(whole + series);
    let taken = select(whole - strict(sum - series), series - strict(sum - whole), k != 0.0);
    let tail = strict(taken + small);
    let head = strict(sum + tail);
    return vec2<f32>(head, tail - strict(head - sum));
}

// x^(p + less) for x > 0, and what such powers are at 0 and at infinity.
fn power(x: f32, less: f32) -> f32 {
    // p + less and what rounding took from it.
    let high = strict(parameter(0u) + less);
    let moved = strict(high - parameter(0u));
    let low = (parameter(0u) - strict(high - moved)) + (less - moved) + parameter(1u);
    let log = ln_pair(x);
    let head = strict(high * log.x);
    let tail = high * log.y + low * log.x - missing(head, high, log.x);
    let y = exp_of_sum(head, tail);
    let size = size_bits(x);
    let grows = (size == 0u) != is_positive(high);
    let bounded = chosen(y, chosen(0.0, infinity(), grows), size == 0u || size == 0x7f800000u);
    return constant(chosen(bounded, not_a_number(), is_negative(x)), x);
}

fn value(x: f32) -> f32 {
    return power(x, 0.0);
}

fn first(x: f32, y: f32) -> f32 {
    return parameter(0u) * power(x, -1.0);
}

fn second(x: f32, y: f32) -> f32 {
    return parameter(0u) * strict(parameter(0u) - 1.0) * power(x, -2.0);
}
