// 1 / (1 + e^-x), from e^-x for x > 0 and from e^x for x < 0. It never overflows.

// sigmoid(x) and sigmoid(-x) = 1 - sigmoid(x), both to full relative accuracy. The result for NaN is undefined.
fn both_sides(x: f32) -> vec2<f32> {
    let e = exp_of_sum(-abs(x), 0.0);
    // The rounding error of 1 + e is added to the remainder of the quotient.
    let sum = strict(1.0 + e);
    let lost = e - strict(sum - 1.0);
    let rough = strict(quotient(1.0, sum));
    let large = rough + strict(missing(1.0, rough, sum) - rough * lost) * rough;
    // Near 0, the exact difference to 1 is used. The two roundings then cancel in the product of both values.
    let small = select(e * large, 1.0 - large, large < 0.75);
    return select(vec2<f32>(large, small), vec2<f32>(small, large), is_negative(x));
}

fn sigmoid_accurate(x: f32) -> f32 {
    return constant(both_sides(x).x, x);
}
