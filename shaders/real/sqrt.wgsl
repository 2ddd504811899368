// sqrt(x): the device's root of a number between 1 and 4, whose error is about two units in the last place, and one
// step of Newton's method.

fn sqrt_accurate(x: f32) -> f32 {
    let p = parts(x);
    // The exponent is halved. The remainder of an odd exponent goes to the fraction.
    let half = p.exponent >> 1u;
    let m = p.fraction * power_of_two(p.exponent & 1);
    let rough = strict(sqrt(m));
    let root = rough + quotient(missing(m, rough, rough), rough + rough);
    let y = times_power_of_two(root, half);
    // Zeros (with their sign), infinity and NaN are their own roots.
    let size = size_bits(x);
    let own = size == 0u || size >= 0x7f800000u;
    return chosen(chosen(y, x, own), not_a_number(), is_negative(x));
}
