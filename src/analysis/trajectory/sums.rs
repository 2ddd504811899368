//! Sums over the entries of a kernel, in f64.

use crate::kernel::sink::Region;
use crate::real::Real;

/// Sums that run side by side, so that a processor adds many at a time. Their number decides the order of additions, so it
/// is the same everywhere.
const LANES: usize = 8;
/// Vectors of such sums in a scalar product.
const VECTORS: usize = 4;

/// Sums over a unit, or over all of a kernel K.
#[derive(Clone, Debug)]
pub(super) struct Sums {
    pub trace: f64,
    /// |K|^2, |K - first|^2 and |K - last|^2.
    pub squares: [f64; 3],
    /// K y, for the unit's rows.
    pub own: Vec<f64>,
    /// K y, for its columns as rows of the mirror image.
    pub image: Vec<f64>,
}

impl Sums {
    pub fn new(rows: usize, cols: usize) -> Self {
        Sums { trace: 0.0, squares: [0.0; 3], own: vec![0.0; rows], image: vec![0.0; cols] }
    }

    /// Takes row `row`, which counts twice in the squares if it has a mirror image; of the labels, those of the columns and that of the row.
    #[inline(always)]
    pub fn take<R: Real>(
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
        if let Some((labels, own)) = labels {
            self.own[row] = dot(entries, labels);
            if mirrored {
                add_scaled(&mut self.image, entries, own);
            }
        }
    }

    /// Adds the sums over `region`.
    pub fn add(&mut self, region: &Region, part: &Sums) {
        self.trace += part.trace;
        self.squares.iter_mut().zip(part.squares).for_each(|(sum, square)| *sum += square);
        self.own[region.rows.clone()].iter_mut().zip(&part.own).for_each(|(sum, x)| *sum += x);
        if !region.above().is_empty() {
            self.own[region.cols.clone()].iter_mut().zip(&part.image).for_each(|(sum, x)| *sum += x);
        }
    }
}

/// The sums of k^2, (k - a)^2 and (k - b)^2.
#[inline(always)]
fn squares<R: Real>(k: &[R], [a, b]: [&[R]; 2]) -> [f64; 3] {
    let mut sums = [[0.0; LANES]; 3];
    let terms = |k: R, a: R, b: R| {
        let (k, a, b) = (k.f64(), a.f64(), b.f64());
        [k * k, (k - a) * (k - a), (k - b) * (k - b)]
    };
    let (k, a, b) = (k.as_chunks::<LANES>(), a.as_chunks::<LANES>(), b.as_chunks::<LANES>());
    for ((k, a), b) in k.0.iter().zip(a.0).zip(b.0) {
        for lane in 0..LANES {
            let [own, first, last] = terms(k[lane], a[lane], b[lane]);
            sums[0][lane] += own;
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
    // Several vectors of lanes: an addition waits for the one before it in its lane.
    let mut sums = [[0.0; LANES]; VECTORS];
    let (x, v) = (x.as_chunks::<{ LANES * VECTORS }>(), v.as_chunks::<{ LANES * VECTORS }>());
    for (x, v) in x.0.iter().zip(v.0) {
        let (x, v) = (x.as_chunks::<LANES>().0, v.as_chunks::<LANES>().0);
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
