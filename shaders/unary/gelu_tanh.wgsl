// x/2 (1 + tanh u) with u = sqrt(2/pi) (x + 0.044715 x^3), which is x s with s = sigmoid(w), w = 2 u. At 30,
// sigmoid(-|w|) is 0, also times x^6.

// w and w'. On the far left the rounding of w costs relative accuracy of a small value. The absolute error is small.
fn gelu_exponent(x: f32) -> vec2<f32> {
    let square = 0.07135481627260025 * x * x;
    return vec2<f32>((1.5957691216057308 + square) * x, 1.5957691216057308 + 3.0 * square);
}

fn value(x: f32) -> f32 {
    let s = both_sides(gelu_exponent(limited(x, 30.0)).x).x;
    // -0 on the far left, the sign from which the value approaches 0.
    return constant(max(x, -30.0) * s, x);
}

fn first(x: f32, y: f32) -> f32 {
    let inner = limited(x, 30.0);
    let w = gelu_exponent(inner);
    let s = both_sides(w.x);
    return constant(s.x + strict(s.x * s.y * (inner * w.y)), x);
}

fn second(x: f32, y: f32) -> f32 {
    let inner = limited(x, 30.0);
    let w = gelu_exponent(inner);
    let s = both_sides(w.x);
    let curvature = 0.4281288976356015 * inner;
    return constant(s.x * s.y * (2.0 * w.y + inner * (curvature + (s.y - s.x) * w.y * w.y)), x);
}
