// asin(x)

fn value(x: f32) -> f32 {
    return asin_accurate(x);
}

fn first(x: f32, y: f32) -> f32 {
    return up_to_one(reciprocal_accurate(sqrt_accurate(one_less_square(x))), x);
}

fn second(x: f32, y: f32) -> f32 {
    return up_to_one(x * strict(reciprocal_accurate(one_less_square(x)) * first(x, y)), x);
}
