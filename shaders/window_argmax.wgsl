// The largest entry in every window. What window.wgsl has stands before this text.

@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<u32>;

// Where the largest entry in a window is, among all entries of x, and NaN counts as the largest.
fn window_argmax_at(at: u32) {
    let positions = word(8u) * word(9u);
    let plane = at / positions * word(6u) * word(7u);
    let position = vec2<u32>(at % positions / word(9u), at % word(9u));
    var best = NOWHERE;
    var top = 0.0;
    for (var row = 0u; row < word(10u); row++) {
        for (var col = 0u; col < word(11u); col++) {
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

// Of bits, since a compiler may think that there is no NaN.
fn is_nan(value: f32) -> bool {
    return (bitcast<u32>(value) & 0x7fffffffu) > 0x7f800000u;
}
