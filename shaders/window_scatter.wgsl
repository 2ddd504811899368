// The adjoint of gathering the largest entries of windows. What window.wgsl has stands before this text.

@group(0) @binding(1) var<storage, read> y: array<f32>;
@group(0) @binding(2) var<storage, read> largest: array<u32>;
@group(0) @binding(3) var<storage, read_write> x: array<f32>;

fn window_scatter_at(at: u32) {
    let positions = word(8u) * word(9u);
    let area = word(6u) * word(7u);
    let place = vec2<u32>(at % area / word(7u), at % word(7u));
    var sum = 0.0;
    for (var row = 0u; row < word(10u); row++) {
        for (var col = 0u; col < word(11u); col++) {
            let origin = seer(place, vec2<u32>(row, col));
            if origin.x != NOWHERE {
                let position = at / area * positions + origin.x * word(9u) + origin.y;
                if largest[position] == at {
                    sum += y[position];
                }
            }
        }
    }
    x[at] = sum;
}
