// x moved towards 0 by parameter 1, bias, outside of -lambda and lambda, parameter 0; 0 between them.

fn value(x: f32) -> f32 {
    let right = chosen(0.0, x - parameter(1u), order(x) > order(parameter(0u)));
    let y = chosen(right, x + parameter(1u), order(x) < order(-parameter(0u)));
    return constant(y, x);
}

fn first(x: f32, y: f32) -> f32 {
    let outside = order(x) < order(-parameter(0u)) || order(x) > order(parameter(0u));
    return constant(select(0.0, 1.0, outside), x);
}

fn second(x: f32, y: f32) -> f32 {
    return constant(0.0, x);
}
