// erf(x), with e^(-x^2) in both derivatives.

fn value(x: f32) -> f32 {
    return erf_accurate(x);
}

fn first(x: f32, y: f32) -> f32 {
    return constant(1.1283791670955126 * exp_of_square(limited(x, 100.0), 1.0), x);
}

// Where e^(-x^2) has vanished, even times x, is 100.
fn second(x: f32, y: f32) -> f32 {
    return -2.0 * limited(x, 100.0) * first(x, y);
}
