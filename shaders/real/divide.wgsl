// a / b, nearly correctly rounded.

// a / b as the device computes it, with an error of up to 2.5 units in the last place.
fn quotient(a: f32, b: f32) -> f32 {
    return a / b;
}

// a - q b, exact by splitting into halves, if q b equals a except for the last few digits. Nothing in it may overflow
// or underflow.
fn missing(a: f32, q: f32, b: f32) -> f32 {
    let q_high = high_half(q);
    let b_high = high_half(b);
    let q_low = strict(q - q_high);
    let b_low = strict(b - b_high);
    return strict(strict(strict(a - q_high * b_high) - q_high * b_low) - q_low * b_high) - q_low * b_low;
}

// a / b, with an error of little more than half a unit in the last place. Only for numbers well inside the range, near
// 1.
fn divided(a: f32, b: f32) -> f32 {
    let q = strict(quotient(a, b));
    return q + quotient(missing(a, q, b), b);
}
