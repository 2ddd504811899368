// Patches of planes, sums over windows, and their adjoints. What window.wgsl has stands before this text.

@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;

// patch[n,g,t,i] of x[n,(g i'),h,w].
fn patches_at(at: u32) {
    let taps = word(10u) * word(11u);
    let features = word(4u) * taps;
    let positions = word(8u) * word(9u);
    let feature = at % features;
    let position = at / features % positions;
    let plane = at / (features * positions) * word(4u) + feature / taps;
    let tap = feature % taps;
    let place = seen(
        vec2<u32>(position / word(9u), position % word(9u)),
        vec2<u32>(tap / word(11u), tap % word(11u)),
    );
    var value = 0.0;
    if place != NOWHERE {
        value = x[plane * word(6u) * word(7u) + place];
    }
    y[at] = value;
}

// The adjoint of `patches` for columns[n,g,t,i]: y[n,(g i'),h,w].
fn fold_at(at: u32) {
    let taps = word(10u) * word(11u);
    let positions = word(8u) * word(9u);
    let area = word(6u) * word(7u);
    let place = vec2<u32>(at % area / word(7u), at % word(7u));
    let plane = at / area;
    let features = word(4u) * taps;
    // Channels are features' first part.
    let first = plane / word(4u) * positions * features + plane % word(4u) * taps;
    var sum = 0.0;
    for (var tap = 0u; tap < taps; tap++) {
        let origin = seer(place, vec2<u32>(tap / word(11u), tap % word(11u)));
        if origin.x != NOWHERE {
            sum += x[first + (origin.x * word(9u) + origin.y) * features + tap];
        }
    }
    y[at] = sum;
}

fn window_sum_at(at: u32) {
    let positions = word(8u) * word(9u);
    let plane = at / positions * word(6u) * word(7u);
    let position = vec2<u32>(at % positions / word(9u), at % word(9u));
    var sum = 0.0;
    for (var row = 0u; row < word(10u); row++) {
        for (var col = 0u; col < word(11u); col++) {
            let place = seen(position, vec2<u32>(row, col));
            if place != NOWHERE {
                sum += x[plane + place];
            }
        }
    }
    y[at] = sum;
}

// The adjoint of `window_sum`.
fn window_spread_at(at: u32) {
    let positions = word(8u) * word(9u);
    let area = word(6u) * word(7u);
    let place = vec2<u32>(at % area / word(7u), at % word(7u));
    var sum = 0.0;
    for (var row = 0u; row < word(10u); row++) {
        for (var col = 0u; col < word(11u); col++) {
            let origin = seer(place, vec2<u32>(row, col));
            if origin.x != NOWHERE {
                sum += x[at / area * positions + origin.x * word(9u) + origin.y];
            }
        }
    }
    y[at] = sum;
}
