// The adjoint of gathering the largest entries of windows. window.wgsl precedes this file.

@group(0) @binding(1) var<storage, read> y: array<f32>;
@group(0) @binding(2) var<storage, read> largest: array<u32>;
@group(0) @binding(3) var<storage, read_write> x: array<f32>;

fn window_scatter_at(at: u32) {
    let positions = param(8u) * param(9u);
    let area = param(6u) * param(7u);
    let place = vec2<u32>(at % area / param(7u), at % param(7u));
    var sum = 0.0;
    for (var row = 0u; row < param(10u); row++) {
        for (var col = 0u; col < param(11u); col++) {
            let origin = seer(place, vec2<u32>(row, col));
            if origin.x != NOWHERE {
                let position = at / area * positions + origin.x * param(9u) + origin.y;
                if largest[position] == at {
                    sum += y[position];
                }
            }
        }
    }
    x[at] = sum;
}
