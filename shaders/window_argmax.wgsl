// The largest entry in every window. window.wgsl precedes this file.

@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<u32>;

// The place of the largest entry in a window, counted over all entries of x. NaN counts as the largest.
fn window_argmax_at(at: u32) {
    let positions = param(8u) * param(9u);
    let plane = at / positions * param(6u) * param(7u);
    let position = vec2<u32>(at % positions / param(9u), at % param(9u));
    var best = NOWHERE;
    var top = 0.0;
    for (var row = 0u; row < param(10u); row++) {
        for (var col = 0u; col < param(11u); col++) {
            let place = seen(position, vec2<u32>(row, col));
            if place != NOWHERE {
                let value = x[plane + place];
                if best == NOWHERE || value > top || (is_nan(value) && !is_nan(top)) {
                    best = plane + place;
                    top = value;
                }
            }
        }
    }
    y[at] = best;
}

// By the bits: a compiler may assume that there is no NaN.
fn is_nan(value: f32) -> bool {
    return (bitcast<u32>(value) & 0x7fffffffu) > 0x7f800000u;
}
