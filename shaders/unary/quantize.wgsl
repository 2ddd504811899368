// The nearest whole number, ties to even, between parameter 0, min, and parameter 1, max, with the straight-through slope.

fn value(x: f32) -> f32 {
    return constant(round(clamp(x, parameter(0u), parameter(1u))), x);
}

fn first(x: f32, y: f32) -> f32 {
    let nearest = round(clamp(x, parameter(0u) - 1.0, parameter(1u) + 1.0));
    let inside = nearest >= parameter(0u) && nearest <= parameter(1u);
    return constant(select(0.0, 1.0, inside), x);
}

fn second(x: f32, y: f32) -> f32 {
    return constant(0.0, x);
}
