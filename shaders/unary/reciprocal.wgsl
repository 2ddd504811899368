// 1 / x. The derivatives are computed from x: powers of y are rounded too often.

fn value(x: f32) -> f32 {
    return reciprocal_accurate(x);
}

fn first(x: f32, y: f32) -> f32 {
    return -reciprocal_square(x);
}

fn second(x: f32, y: f32) -> f32 {
    let cube = reciprocal_cube(x);
    return with_sign_of(cube + cube, x);
}
