// 1 / (1 + e^-x), by e^-x on the right and e^x on the left: it never overflows.

// sigmoid(x) and sigmoid(-x) = 1 - sigmoid(x), both to full relative accuracy. NaN may become anything.
fn both_sides(x: f32) -> vec2<f32> {
    let e = exp_of_sum(-abs(x), 0.0);
    // What rounding took from 1 + e goes to what is missing from the quotient.
    let sum = strict(1.0 + e);
    let lost = e - strict(sum - 1.0);
    let rough = strict(quotient(1.0, sum));
    let large = rough + strict(missing(1.0, rough, sum) - rough * lost) * rough;
    // Near the middle by its exact difference to 1, so that the two roundings cancel in the product of both sides.
    let small = select(e * large, 1.0 - large, large < 0.75);
    return select(vec2<f32>(large, small), vec2<f32>(small, large), is_negative(x));
}

fn sigmoid_accurate(x: f32) -> f32 {
    return constant(both_sides(x).x, x);
}
