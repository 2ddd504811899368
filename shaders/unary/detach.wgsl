// x without its gradient.

fn value(x: f32) -> f32 {
    return x;
}

fn first(x: f32, y: f32) -> f32 {
    return constant(0.0, x);
}

fn second(x: f32, y: f32) -> f32 {
    return constant(0.0, x);
}
