//! The sizes of tiles, blocks and passes of a backend.

/// The sizes at which a backend is fast. They depend only on the backend and the limits of the device. So the order of
/// computation does not depend on the load of a machine.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct TileConfig {
    /// The largest numbers of rows of a tile of K. The first is for K as one matrix. The others are for several
    /// matrices computed together and for little memory. Larger is faster.
    pub tile_sides: [usize; 4],
    /// Tiles with more than twice this number of rows have a multiple of it, so that there is no remainder.
    pub multiple: usize,
    /// The least number of blocks of a kernel, so that small kernels keep all workers busy.
    pub least_blocks: usize,
    /// The largest number of entries of the tiles that a worker holds together. There is one tile per component and per
    /// output with a matrix of its own.
    pub tile_entries: usize,
    /// The preferred number of bytes of the values and cotangents in a forward pass.
    pub pass_bytes: f64,
    /// The same for large weights, which are then read less often.
    pub large_pass_bytes: f64,
    /// The largest number of bytes of one array.
    pub array_bytes: f64,
    /// The memory budget in bytes if the caller gives none. A device does not report the size of its memory.
    pub unasked_bytes: Option<f64>,
    /// The number of workers that compute tiles. `None` means one per thread.
    pub workers: Option<usize>,
}

impl TileConfig {
    /// The sizes for the CPU. A pass stays in cache. A tile is a multiple of the columns of a micro tile (48 in f32, 24
    /// in f64). The tiles of a worker take 32 MiB in f64.
    pub const CPU: TileConfig = TileConfig {
        tile_sides: [384, 192, 96, 48],
        multiple: 48,
        least_blocks: 8,
        tile_entries: 1 << 22,
        pass_bytes: (4 << 20) as f64,
        large_pass_bytes: (32 << 20) as f64,
        array_bytes: f64::INFINITY,
        unasked_bytes: None,
        workers: None,
    };
}
