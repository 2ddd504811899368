// Patches of planes, sums over windows, and their adjoints. window.wgsl precedes this
// file.

@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;

// patch[n,g,t,i] of x[n,(g i'),h,w].
fn patches_at(at: u32) {
    let taps = param(10u) * param(11u);
    let features = param(4u) * taps;
    let positions = param(8u) * param(9u);
    let feature = at % features;
    let position = at / features % positions;
    let plane = at / (features * positions) * param(4u) + feature / taps;
    let tap = feature % taps;
    let place = seen(
        vec2<u32>(position / param(9u), position % param(9u)),
        vec2<u32>(tap / param(11u), tap % param(11u)),
    );
    var value = 0.0;
    if place != NOWHERE {
        value = x[plane * param(6u) * param(7u) + place];
    }
    y[at] = value;
}

// The adjoint of `patches` for columns[n,g,t,i]: y[n,(g i'),h,w].
fn fold_at(at: u32) {
    let taps = param(10u) * param(11u);
    let positions = param(8u) * param(9u);
    let area = param(6u) * param(7u);
    let place = vec2<u32>(at % area / param(7u), at % param(7u));
    let plane = at / area;
    let features = param(4u) * taps;
    // Features are ordered by channel first.
    let first = plane / param(4u) * positions * features + plane % param(4u) * taps;
    var sum = 0.0;
    for (var tap = 0u; tap < taps; tap++) {
        let origin = seer(place, vec2<u32>(tap / param(11u), tap % param(11u)));
        if origin.x != NOWHERE {
            sum += x[first + (origin.x * param(9u) + origin.y) * features + tap];
        }
    }
    y[at] = sum;
}

fn window_sum_at(at: u32) {
    let positions = param(8u) * param(9u);
    let plane = at / positions * param(6u) * param(7u);
    let position = vec2<u32>(at % positions / param(9u), at % param(9u));
    var sum = 0.0;
    for (var row = 0u; row < param(10u); row++) {
        for (var col = 0u; col < param(11u); col++) {
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
    let positions = param(8u) * param(9u);
    let area = param(6u) * param(7u);
    let place = vec2<u32>(at % area / param(7u), at % param(7u));
    var sum = 0.0;
    for (var row = 0u; row < param(10u); row++) {
        for (var col = 0u; col < param(11u); col++) {
            let origin = seer(place, vec2<u32>(row, col));
            if origin.x != NOWHERE {
                sum += x[at / area * positions + origin.x * param(9u) + origin.y];
            }
        }
    }
    y[at] = sum;
}
