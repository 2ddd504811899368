// The entry point of kernels that compute one entry at a time: calls NAME_at for every entry, four per invocation.
// Param 3 is the number of entries.
@compute @workgroup_size(256)
fn NAME(@builtin(workgroup_id) id: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let group = group_of(id);
    for (var k = 0u; k < 4u; k++) {
        let at = group * 1024u + k * 256u + lane;
        if at < param(3u) && is_mine(group) {
            NAME_at(at);
        }
    }
}
