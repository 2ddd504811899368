//! How finely kernels are cut for a backend.

/// The sizes that a backend computes kernels well in. They are constants of a backend and of a device's limits, so that
/// what is computed, and in which order, does not depend on how a machine feels.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct TileConfig {
    /// A tile of K has at most so many rows: the first where K is one matrix; the others where there are several, computed
    /// side by side, and where memory is tight, the larger the better.
    pub tile_sides: [usize; 4],
    /// Sides beyond twice this are multiples of it, so that nothing is left over.
    pub multiple: usize,
    /// A kernel is cut into at least so many blocks, so that small ones keep all workers busy too.
    pub least_blocks: usize,
    /// The tiles that a worker holds side by side, one for each component and each output that has a matrix of its own,
    /// have together about so many entries at most.
    pub tile_entries: usize,
    /// A forward pass is over so many samples that their values and cotangents take about so many bytes.
    pub pass_bytes: f64,
    /// Where weights are large, passes may take so many bytes, so that they are read less often.
    pub large_pass_bytes: f64,
    /// The most bytes that one array can have.
    pub array_bytes: f64,
    /// What factors and work may take where the caller gives no budget: a device does not tell how much memory it has.
    pub unasked_bytes: Option<f64>,
    /// Workers that compute tiles side by side; as many as there are threads, if it does not say.
    pub workers: Option<usize>,
}

impl TileConfig {
    /// For the CPU: a pass stays in cache, a tile is a multiple of the columns that its micro kernel takes at a time (48 in
    /// f32, 24 in f64), and the tiles of a worker take 32 MiB in f64.
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
