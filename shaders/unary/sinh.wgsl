// sinh(x)

fn value(x: f32) -> f32 {
    return sinh_accurate(x);
}

fn first(x: f32, y: f32) -> f32 {
    return cosh_accurate(x);
}

fn second(x: f32, y: f32) -> f32 {
    return y;
}
