//! Shrinking matrices by averaging.

use std::ops::Range;

use crate::real::Real;

/// Shrinks the matrix `data`, `[rows, cols]`, to `[to_rows, to_cols]`. Each new entry is the mean of the part of the matrix
/// that it covers. An entry at the edge of the part is weighted by its covered fraction.
pub(super) fn averaged<R: Real>(data: &[R], [rows, cols]: [usize; 2], [to_rows, to_cols]: [usize; 2]) -> Vec<f64> {
    let down = Covering::new(rows, to_rows);
    let across = Covering::new(cols, to_cols);
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
        for to_col in 0..to_cols {
            let sum: f64 = across.parts(to_col).map(|(col, weight)| weight * sums[col]).sum();
            averages.push(sum / area);
        }
    }
    averages
}

/// How the cells of a shorter axis cover those of a longer one. Lengths are in a common unit of both.
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

    /// The sum of the weights of a new cell.
    fn total(&self) -> f64 {
        self.new as f64
    }

    /// The old cells under a new cell, each with its covered length.
    fn parts(&self, cell: usize) -> impl Iterator<Item = (usize, f64)> {
        let Range { start, end } = cell * self.new..(cell + 1) * self.new;
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
