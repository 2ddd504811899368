// x sigmoid(x). Where e^-|x| has vanished, even times x^2, is 2000.

fn value(x: f32) -> f32 {
    // -0 on the far left.
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
