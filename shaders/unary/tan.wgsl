// tan(x), x in radians.

// tan(r) for |r| <= pi/4
fn tan_near_zero(r: f32) -> f32 {
    let z = r * r;
    var q = 0.003847304292382261;
    q = q * z + 0.0011782998551862955;
    q = q * z + 0.009966544602536997;
    q = q * z + 0.021619872776148154;
    q = q * z + 0.05399462416667326;
    q = q * z + 0.13333230217458134;
    q = q * z + 0.33333333984697283;
    return r + strict(r * z * q);
}

fn value(x: f32) -> f32 {
    let angle = angle_of(x);
    let t = tan_near_zero(angle.rest);
    let y = select(t, divided(-1.0, t), (angle.quarters & 1u) == 1u);
    let signed = bitcast<f32>(bitcast<u32>(y) ^ (bitcast<u32>(x) & 0x80000000u));
    let size = size_bits(x);
    // x itself to the last digit below 2^-12; no limit at the infinities.
    return chosen(chosen(signed, x, size < 0x39800000u), not_a_number(), size >= 0x7f800000u);
}

fn first(x: f32, y: f32) -> f32 {
    return 1.0 + y * y;
}

fn second(x: f32, y: f32) -> f32 {
    return 2.0 * y * first(x, y);
}
