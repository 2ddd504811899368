// erf(x). Both derivatives contain e^(-x^2).

fn value(x: f32) -> f32 {
    return erf_accurate(x);
}

fn first(x: f32, y: f32) -> f32 {
    return constant(1.1283791670955126 * exp_of_square(limited(x, 100.0), 1.0), x);
}

// At 100, e^(-x^2) is 0, also times x.
fn second(x: f32, y: f32) -> f32 {
    return -2.0 * limited(x, 100.0) * first(x, y);
}
