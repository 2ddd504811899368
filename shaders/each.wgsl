// The kernel that calls NAME_at for every entry there is, four for an invocation; it ends the text of all kernels that go
// entry by entry. Word 3 is the number of entries.
@compute @workgroup_size(256)
fn NAME(@builtin(workgroup_id) id: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let group = group_of(id);
    for (var k = 0u; k < 4u; k++) {
        let at = group * 1024u + k * 256u + lane;
        if at < word(3u) && is_mine(group) {
            NAME_at(at);
        }
    }
}
