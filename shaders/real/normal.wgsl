// e^(-x^2/2) / sqrt(2 pi), the density of the normal distribution, for |x| <= 100.

fn normal_density(x: f32) -> f32 {
    return 0.3989422804014327 * exp_of_square(x, 0.5);
}
