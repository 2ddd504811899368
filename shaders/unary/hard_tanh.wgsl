// x kept between parameter 0, min, and parameter 1, max; at the kinks the slope is the outer side's.

fn value(x: f32) -> f32 {
    let above = chosen(x, parameter(1u), order(x) > order(parameter(1u)));
    let bounded = chosen(above, parameter(0u), order(x) < order(parameter(0u)));
    return constant(bounded, x);
}

fn first(x: f32, y: f32) -> f32 {
    let outside = order(x) <= order(parameter(0u)) || order(x) >= order(parameter(1u));
    return constant(select(1.0, 0.0, outside), x);
}

fn second(x: f32, y: f32) -> f32 {
    return constant(0.0, x);
}
