//! Sums over the entries of a kernel, in f64.

use crate::kernel::sink::Region;
use crate::real::Real;

/// The number of sums that run in parallel, so that they vectorise. It decides the order of additions, and is therefore the
/// same on every machine.
const LANES: usize = 8;
/// The number of vectors of such sums in a scalar product.
const VECTORS: usize = 4;

/// Sums over a region, or over a whole kernel K.
#[derive(Clone, Debug)]
pub(super) struct Sums {
    pub trace: f64,
    /// |K|^2, |K - first|^2 and |K - last|^2.
    pub squares: [f64; 3],
    /// K y for the rows of the region.
    pub row_products: Vec<f64>,
    /// K y for the columns of the region, which are rows of its mirror image.
    pub column_products: Vec<f64>,
}

impl Sums {
    pub fn new(rows: usize, cols: usize) -> Self {
        Sums { trace: 0.0, squares: [0.0; 3], row_products: vec![0.0; rows], column_products: vec![0.0; cols] }
    }

    /// Adds row `row`. A mirrored row counts twice in the squares. `labels` are those of the columns and that of the row.
    #[inline(always)]
    pub fn add_row<R: Real>(
        &mut self,
        row: usize,
        entries: &[R],
        others: [&[R]; 2],
        mirrored: bool,
        labels: Option<(&[f64], f64)>,
    ) {
        let times = if mirrored { 2.0 } else { 1.0 };
        let squares = squares(entries, others);
        self.squares.iter_mut().zip(squares).for_each(|(sum, square)| *sum += times * square);
        if let Some((column_labels, row_label)) = labels {
            self.row_products[row] = dot(entries, column_labels);
            if mirrored {
                add_scaled(&mut self.column_products, entries, row_label);
            }
        }
    }

    /// Adds the sums over `region`.
    pub fn add(&mut self, region: &Region, part: &Sums) {
        self.trace += part.trace;
        self.squares.iter_mut().zip(part.squares).for_each(|(sum, square)| *sum += square);
        self.row_products[region.rows.clone()].iter_mut().zip(&part.row_products).for_each(|(sum, x)| *sum += x);
        if !region.above().is_empty() {
            let mirrored = self.row_products[region.cols.clone()].iter_mut();
            mirrored.zip(&part.column_products).for_each(|(sum, x)| *sum += x);
        }
    }
}

/// The sums of k^2, (k - a)^2 and (k - b)^2.
#[inline(always)]
fn squares<R: Real>(k: &[R], [a, b]: [&[R]; 2]) -> [f64; 3] {
    let mut sums = [[0.0; LANES]; 3];
    let terms = |k: R, a: R, b: R| {
        let k = k.f64();
        let a = a.f64();
        let b = b.f64();
        [k * k, (k - a) * (k - a), (k - b) * (k - b)]
    };
    let k = k.as_chunks::<LANES>();
    let a = a.as_chunks::<LANES>();
    let b = b.as_chunks::<LANES>();
    for ((k, a), b) in k.0.iter().zip(a.0).zip(b.0) {
        for lane in 0..LANES {
            let [square, first, last] = terms(k[lane], a[lane], b[lane]);
            sums[0][lane] += square;
            sums[1][lane] += first;
            sums[2][lane] += last;
        }
    }
    let mut sums = sums.map(|lanes| lanes.iter().sum());
    for ((&k, &a), &b) in k.1.iter().zip(a.1).zip(b.1) {
        sums.iter_mut().zip(terms(k, a, b)).for_each(|(sum, term): (&mut f64, f64)| *sum += term);
    }
    sums
}

/// x . v
#[inline(always)]
pub(super) fn dot<R: Real>(x: &[R], v: &[f64]) -> f64 {
    // Several vectors of lanes, since an addition waits for the previous one in its lane.
    let mut sums = [[0.0; LANES]; VECTORS];
    let x = x.as_chunks::<{ LANES * VECTORS }>();
    let v = v.as_chunks::<{ LANES * VECTORS }>();
    for (x, v) in x.0.iter().zip(v.0) {
        let x = x.as_chunks::<LANES>().0;
        let v = v.as_chunks::<LANES>().0;
        for vector in 0..VECTORS {
            for lane in 0..LANES {
                sums[vector][lane] += x[vector][lane].f64() * v[vector][lane];
            }
        }
    }
    let rest: f64 = x.1.iter().zip(v.1).map(|(x, v)| x.f64() * v).sum();
    sums.as_flattened().iter().sum::<f64>() + rest
}

/// sum += factor x
#[inline(always)]
pub(super) fn add_scaled<R: Real>(sum: &mut [f64], x: &[R], factor: f64) {
    for (sum, x) in sum.iter_mut().zip(x) {
        *sum += factor * x.f64();
    }
}
