// 1 / x, and its derivatives by x, as they are within the range of numbers where powers of y are rounded too often.

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
