// x sigmoid(x). At 2000, e^-|x| is 0, also times x^2.

fn value(x: f32) -> f32 {
    // -0 on the far left, the sign from which the value approaches 0.
    let inner = max(x, -2000.0);
    return constant(inner * both_sides(inner).x, x);
}

fn first(x: f32, y: f32) -> f32 {
    let inner = limited(x, 2000.0);
    let s = both_sides(inner);
    return constant(s.x + strict(s.x * s.y * inner), x);
}

fn second(x: f32, y: f32) -> f32 {
    let inner = limited(x, 2000.0);
    let s = both_sides(inner);
    return constant(s.x * s.y * (2.0 + inner * (s.y - s.x)), x);
}
