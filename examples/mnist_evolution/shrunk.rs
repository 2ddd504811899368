//! Kernels averaged to the size of a picture.

use tangent_kernels::Matrix;

/// A matrix averaged over blocks.
pub struct Shrunk {
    /// Rows, and columns.
    pub side: usize,
    /// Row-major.
    pub cells: Vec<f32>,
}

impl Shrunk {
    /// Averages to at most `most` rows and columns.
    pub fn average(matrix: &Matrix<f32>, most: usize) -> Self {
        let n = matrix.rows();
        let side = n.div_ceil(n.div_ceil(most));
        let range = |k: usize| k * n / side..(k + 1) * n / side;
        let row = |row: usize| {
            let mut sums = vec![0.0; n];
            for line in matrix.as_slice()[range(row).start * n..range(row).end * n].chunks_exact(n) {
                sums.iter_mut().zip(line).for_each(|(sum, &x)| *sum += f64::from(x));
            }
            let mean = |col: usize| sums[range(col)].iter().sum::<f64>() / (range(row).len() * range(col).len()) as f64;
            (0..side).map(|col| mean(col) as f32).collect::<Vec<_>>()
        };
        Shrunk { side, cells: (0..side).flat_map(row).collect() }
    }
}
