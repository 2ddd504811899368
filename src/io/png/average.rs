//! Making matrices smaller by averaging.

use std::ops::Range;

use crate::real::Real;

/// The matrix `data`, \[rows, cols\], shrunk to \[to_rows, to_cols\]: each new entry is the mean of the part of the matrix
/// that it covers, where an entry at the edge of the part counts by how much of it is inside. No size grows.
pub(super) fn averaged<R: Real>(data: &[R], [rows, cols]: [usize; 2], [to_rows, to_cols]: [usize; 2]) -> Vec<f64> {
    let (down, across) = (Covering::new(rows, to_rows), Covering::new(cols, to_cols));
    let area = down.total() * across.total();
    let mut averages = Vec::with_capacity(to_rows * to_cols);
    let mut sums = vec![0.0; cols];
    for to_row in 0..to_rows {
        sums.fill(0.0);
        for (row, weight) in down.parts(to_row) {
            for (sum, x) in sums.iter_mut().zip(&data[row * cols..(row + 1) * cols]) {
                *sum += weight * x.f64();
            }
        }
        averages.extend((0..to_cols).map(|to_col| {
            let sum: f64 = across.parts(to_col).map(|(col, weight)| weight * sums[col]).sum();
            sum / area
        }));
    }
    averages
}

/// How the cells of a short axis cover those of a long one that is laid over it, in units that divide both.
struct Covering {
    /// The length of an old cell.
    old: usize,
    /// The length of a new cell.
    new: usize,
}

impl Covering {
    fn new(from: usize, to: usize) -> Self {
        let divisor = gcd(from, to);
        Covering { old: to / divisor, new: from / divisor }
    }

    /// The sum of the weights of any new cell.
    fn total(&self) -> f64 {
        self.new as f64
    }

    /// The old cells under the new cell `at`, each with the length that is covered.
    fn parts(&self, at: usize) -> impl Iterator<Item = (usize, f64)> {
        let Range { start, end } = at * self.new..(at + 1) * self.new;
        let old = self.old;
        (start / old..end.div_ceil(old)).map(move |cell| {
            let covered = end.min((cell + 1) * old) - start.max(cell * old);
            (cell, covered as f64)
        })
    }
}

fn gcd(a: usize, b: usize) -> usize {
    if b == 0 { a } else { gcd(b, a % b) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_are_averaged() {
        let data = [1.0f64, 3.0, 5.0, 7.0, 1.0, 3.0, 5.0, 7.0];
        assert_eq!(averaged(&data, [2, 4], [1, 2]), [2.0, 6.0]);
        assert_eq!(averaged(&data, [2, 4], [2, 4]), data);
    }

    #[test]
    fn parts_of_entries_count_as_parts() {
        // Three entries under two pixels: the middle one is split.
        assert_eq!(averaged(&[1.0f32, 4.0, 10.0], [1, 3], [1, 2]), [(1.0 + 4.0 / 2.0) / 1.5, (4.0 / 2.0 + 10.0) / 1.5]);
        assert_eq!(averaged(&[1.0f32, 4.0, 10.0], [3, 1], [2, 1]), [(1.0 + 4.0 / 2.0) / 1.5, (4.0 / 2.0 + 10.0) / 1.5]);
    }

    #[test]
    fn the_mean_of_all_is_kept() {
        let (rows, cols) = (37, 101);
        let data: Vec<f64> = (0..rows * cols).map(|i| ((i * 7919) % 1009) as f64).collect();
        let mean = |data: &[f64]| data.iter().sum::<f64>() / data.len() as f64;
        for to in [[1, 1], [12, 100], [36, 7], [37, 50]] {
            let small = averaged(&data, [rows, cols], to);
            assert_eq!(small.len(), to[0] * to[1]);
            assert!((mean(&small) - mean(&data)).abs() < 1e-9, "{to:?}");
        }
    }
}
