// sin(x) and cos(x) for every finite x.
//
// |x| = k pi/2 + r with an integer k and |r| <= pi/4: both functions are then the sine or the cosine of r.

struct Angle {
    // r
    rest: f32,
    // The last binary digits of k.
    quarters: u32,
}

// For x below 800, where k has 9 binary digits: pi/2 in pieces of 15 binary digits. Their products with k are exact.
fn angle_of_small(x: f32) -> Angle {
    let k = round(0.6366197723675814 * x);
    var r = strict(x - k * 1.57073974609375);
    r = strict(r - k * 5.657970905303955e-05);
    r = strict(r - k * 9.920881893776823e-10);
    return Angle(r - k * 5.390302953474238e-15, u32(i32(k)));
}

// The binary digits of 2 / pi, after 32 zeros, enough for the largest number.
const TWO_BY_PI = array<u32, 8>(
    0u, 0xa2f9836eu, 0x4e441529u, 0xfc2757d1u, 0xf534ddc0u, 0xdb629599u, 0x3c439041u, 0xfe5163abu,
);

// The 32 binary digits of 2 / pi from this place on.
fn digits_of_two_by_pi(place: u32) -> u32 {
    let first = TWO_BY_PI[place >> 5u];
    let second = TWO_BY_PI[(place >> 5u) + 1u];
    let shift = place & 31u;
    // In two steps: a shift by 32 is not allowed.
    return (first << shift) | ((second >> 1u) >> (31u - shift));
}

// The upper 32 binary digits of the product.
fn upper_product(a: u32, b: u32) -> u32 {
    let low = (a & 0xffffu) * (b & 0xffffu);
    let left = (a >> 16u) * (b & 0xffffu) + (low >> 16u);
    let right = (a & 0xffffu) * (b >> 16u) + (left & 0xffffu);
    return (a >> 16u) * (b >> 16u) + (left >> 16u) + (right >> 16u);
}

// For x from 800 on (Payne and Hanek 1983): x = m 2^s with an integer m. Only those digits of 2 / pi are used that
// determine the last two digits of k and the fraction.
fn angle_of_large(x: f32) -> Angle {
    let bits = bitcast<u32>(x);
    let m = (bits & 0x007fffffu) | 0x00800000u;
    // s - 2 digits are skipped. The table starts with 32 extra digits.
    let place = (bits >> 23u) - 120u;
    let a = digits_of_two_by_pi(place);
    let b = digits_of_two_by_pi(place + 32u);
    let c = digits_of_two_by_pi(place + 64u);
    let middle = m * b + upper_product(m, c);
    let carry = select(0u, 1u, middle < m * b);
    let high = m * a + upper_product(m, b) + carry;
    // The fraction follows the last two digits of k. With the nearest k it is between -1/2 and 1/2.
    let up = (high >> 29u) & 1u;
    let flip = 0u - up;
    let upper = ((high << 2u) | (middle >> 30u)) ^ flip;
    let lower = ((middle << 2u) | ((m * c) >> 30u)) ^ flip;
    let rest = part_of_right_angle(upper, lower);
    return Angle(bitcast<f32>(bitcast<u32>(rest) | (up << 31u)), (high >> 30u) + up);
}

// pi/2 times the fraction with these 64 binary digits.
fn part_of_right_angle(upper: u32, lower: u32) -> f32 {
    // No float is so close to a multiple of pi/2 that all upper digits are 0.
    let zeros = min(countLeadingZeros(upper), 31u);
    let digits = (upper << zeros) | ((lower >> 1u) >> (31u - zeros));
    let head = f32(digits >> 8u);
    let tail = f32(digits & 255u) * 0.00390625;
    let angle = head * 1.5707963705062866 + (head * -4.371139000186243e-08 + tail * 1.5707964);
    return angle * power_of_two(-24 - i32(zeros));
}

fn angle_of(x: f32) -> Angle {
    let size = abs(x);
    if size < 800.0 {
        return angle_of_small(size);
    }
    return angle_of_large(size);
}

// sin(r) for |r| <= pi/4
fn sin_near_zero(r: f32) -> f32 {
    let z = r * r;
    var q = 2.724962008007533e-06;
    q = q * z - 0.00019840084376422702;
    q = q * z + 0.008333331870341349;
    q = q * z - 0.16666666663844049;
    return r + strict(r * z * q);
}

// cos(r) for |r| <= pi/4
fn cos_near_zero(r: f32) -> f32 {
    let z = r * r;
    var q = 2.454768977246003e-05;
    q = q * z - 0.001388830186756237;
    q = q * z + 0.04166666465348879;
    return strict(1.0 - 0.5 * z) + strict(z * z * q);
}

// sin(r + quarters pi/2)
fn sin_of_angle(angle: Angle, quarters: u32) -> f32 {
    let sine = sin_near_zero(angle.rest);
    let cosine = cos_near_zero(angle.rest);
    let y = select(sine, cosine, (quarters & 1u) == 1u);
    return bitcast<f32>(bitcast<u32>(y) ^ ((quarters & 2u) << 30u));
}

fn sin_accurate(x: f32) -> f32 {
    let angle = angle_of(x);
    let y = sin_of_angle(angle, angle.quarters);
    let signed = bitcast<f32>(bitcast<u32>(y) ^ (bitcast<u32>(x) & 0x80000000u));
    let size = size_bits(x);
    // Below 2^-12 it is x to the last digit. It has no limit at infinity.
    return chosen(chosen(signed, x, size < 0x39800000u), not_a_number(), size >= 0x7f800000u);
}

fn cos_accurate(x: f32) -> f32 {
    let angle = angle_of(x);
    let y = sin_of_angle(angle, angle.quarters + 1u);
    return chosen(y, not_a_number(), size_bits(x) >= 0x7f800000u);
}
