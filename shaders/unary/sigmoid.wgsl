// 1 / (1 + e^-x)

fn value(x: f32) -> f32 {
    return sigmoid_accurate(x);
}

fn first(x: f32, y: f32) -> f32 {
    return y * (1.0 - y);
}

fn second(x: f32, y: f32) -> f32 {
    return first(x, y) * (1.0 - (y + y));
}
