// The entries that a window reads from planes.
// Params: 3 entries of the result, 4 channels per group, 5 groups; along height and width: 6 and 7 size of the plane, 8
// and 9 positions, 10 and 11 size of the window, 12 and 13 stride, 14 and 15 dilation, 16 and 17 padding before the
// plane.

const NOWHERE: u32 = 0xffffffffu;

// The entry of the plane that the window's entry `tap` reads at position `at`, or NOWHERE.
fn seen(at: vec2<u32>, tap: vec2<u32>) -> u32 {
    let here = at * vec2<u32>(param(12u), param(13u)) + tap * vec2<u32>(param(14u), param(15u));
    let padding = vec2<u32>(param(16u), param(17u));
    // A negative difference wraps around and is beyond the plane too.
    let place = here - padding;
    if place.x >= param(6u) || place.y >= param(7u) {
        return NOWHERE;
    }
    return place.x * param(7u) + place.y;
}

// The position at which the window's entry `tap` reads `place`, or NOWHERE in both coordinates.
fn seer(place: vec2<u32>, tap: vec2<u32>) -> vec2<u32> {
    let there = place + vec2<u32>(param(16u), param(17u));
    let moved = tap * vec2<u32>(param(14u), param(15u));
    let stride = vec2<u32>(param(12u), param(13u));
    let origin = there - moved;
    let at = origin / stride;
    let inside = all(there >= moved) && all(at * stride == origin) && at.x < param(8u) && at.y < param(9u);
    return select(vec2<u32>(NOWHERE), at, inside);
}
