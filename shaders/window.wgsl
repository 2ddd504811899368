// Where a window that slides over planes looks.
// Words: 3 entries of the result, 4 channels in a group, 5 groups, 6 and 7 height and width of the plane, 8 and 9 positions along them,
// 10 and 11 the window's size, 12 and 13 its stride, 14 and 15 its dilation, 16 and 17 the padding before.

const NOWHERE: u32 = 0xffffffffu;

// Where the window's entry `tap` lies in the plane at position `at`: its place, or NOWHERE.
fn seen(at: vec2<u32>, tap: vec2<u32>) -> u32 {
    let here = at * vec2<u32>(word(12u), word(13u)) + tap * vec2<u32>(word(14u), word(15u));
    let padding = vec2<u32>(word(16u), word(17u));
    // A difference below zero wraps around and is beyond the plane too.
    let place = here - padding;
    if place.x >= word(6u) || place.y >= word(7u) {
        return NOWHERE;
    }
    return place.x * word(7u) + place.y;
}

// The position at which the window's entry `tap` lies at `place`, or NOWHERE in both coordinates.
fn seer(place: vec2<u32>, tap: vec2<u32>) -> vec2<u32> {
    let there = place + vec2<u32>(word(16u), word(17u));
    let moved = tap * vec2<u32>(word(14u), word(15u));
    let stride = vec2<u32>(word(12u), word(13u));
    let origin = there - moved;
    let at = origin / stride;
    let inside = all(there >= moved) && all(at * stride == origin) && at.x < word(8u) && at.y < word(9u);
    return select(vec2<u32>(NOWHERE), at, inside);
}
