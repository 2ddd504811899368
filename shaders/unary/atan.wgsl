// atan(x)

fn value(x: f32) -> f32 {
    return atan_accurate(x);
}

// The derivatives have vanished at 1e12, and x^2 does not overflow there.
fn first(x: f32, y: f32) -> f32 {
    let inner = limited(x, 1e12);
    return constant(divided(1.0, 1.0 + inner * inner), x);
}

fn second(x: f32, y: f32) -> f32 {
    let slope = first(x, y);
    return -2.0 * strict(limited(x, 1e12) * slope) * slope;
}
