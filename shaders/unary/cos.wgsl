// cos(x), x in radians.

fn value(x: f32) -> f32 {
    return cos_accurate(x);
}

fn first(x: f32, y: f32) -> f32 {
    return -sin_accurate(x);
}

fn second(x: f32, y: f32) -> f32 {
    return -y;
}
