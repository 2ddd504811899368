// 1 / (1 + e^-x), by e^-x on the right and e^x on the left: it never overflows.

// sigmoid(x) and sigmoid(-x) = 1 - sigmoid(x), both to full relative accuracy. NaN may become anything.
fn both_sides(x: f32) -> vec2<f32> {
    let e = exp_of_sum(-abs(x), 0.0);
    let large = divided(1.0, 1.0 + e);
    let small = e * large;
    return select(vec2<f32>(large, small), vec2<f32>(small, large), is_negative(x));
}

fn sigmoid_accurate(x: f32) -> f32 {
    return constant(both_sides(x).x, x);
}
