// acosh(x). Nothing is defined for x < 1, though the formulas of the derivatives have values left of -1.

// `y`, but NaN where x < 1.
fn from_one(y: f32, x: f32) -> f32 {
    return constant(chosen(y, not_a_number(), order(x) < 0x3f800000), x);
}

fn value(x: f32) -> f32 {
    // Near 1 by what x has above it.
    let above = strict(clamp(x, 1.0, 1e9) - 1.0);
    let near = ln_1p_accurate(above + sqrt_accurate(above * (above + 2.0)));
    let far = ln_accurate(x) + 0.69314718;
    return from_one(chosen(near, far, x > 1e9), x);
}

// x^2 - 1. The derivatives have vanished at 1e18, and x^2 does not overflow there.
fn below(x: f32) -> f32 {
    let inner = clamp(x, 1.0, 1e18);
    return strict(inner - 1.0) * strict(inner + 1.0);
}

fn first(x: f32, y: f32) -> f32 {
    return from_one(reciprocal_accurate(sqrt_accurate(below(x))), x);
}

fn second(x: f32, y: f32) -> f32 {
    return -from_one(strict(clamp(x, 1.0, 1e18) * reciprocal_accurate(below(x))) * first(x, y), x);
}
