//! The folds that there are.

use super::Unit;
use super::fold::{Fold, Tile};
use crate::error::{Error, Result};
use crate::real::Real;

/// tr K = sum over n of K\[n,n\], in f64.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Trace;

impl<R: Real> Fold<R> for Trace {
    type Sum = f64;
    type Partial = f64;

    fn start(&self, rows: usize, cols: usize) -> Result<f64> {
        if rows == cols { Ok(0.0) } else { Err(Error::shape(format!("a kernel of {rows} x {cols} has no trace"))) }
    }

    fn of(&self, tile: &Tile<'_, R>) -> f64 {
        let first = tile.unit.cols.start;
        let own =
            |(row, entries): (usize, &[R])| row.checked_sub(first).and_then(|at| entries.get(at)).map(|x| x.f64());
        tile.rows().filter_map(own).sum()
    }

    fn add(&self, sum: &mut f64, _: &Unit, partial: f64) {
        *sum += partial;
    }
}

/// |K|_F^2, the sum of the squares of all entries, in f64.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct SquaredNorm;

impl<R: Real> Fold<R> for SquaredNorm {
    type Sum = f64;
    type Partial = f64;

    fn start(&self, _: usize, _: usize) -> Result<f64> {
        Ok(0.0)
    }

    fn of(&self, tile: &Tile<'_, R>) -> f64 {
        let mirrored = tile.mirrored();
        let row = |(row, entries): (usize, &[R])| {
            let square: f64 = entries.iter().map(|x| x.f64() * x.f64()).sum();
            if mirrored.contains(&row) { 2.0 * square } else { square }
        };
        tile.rows().map(row).sum()
    }

    fn add(&self, sum: &mut f64, _: &Unit, partial: f64) {
        *sum += partial;
    }
}

/// K v, \[rows\], in f64. With v of ones, the sums of rows; with v of labels 1 and -1 of training samples along the columns
/// of K(Z, X), the paper's kernel classifier, whose signs are its answers (Engel et al., section 5).
#[derive(Clone, Debug, PartialEq)]
pub struct MatVec {
    v: Vec<f64>,
}

impl MatVec {
    /// The product with `v`, which has a number for every column of K.
    pub fn new(v: Vec<f64>) -> Self {
        MatVec { v }
    }
}

impl<R: Real> Fold<R> for MatVec {
    type Sum = Vec<f64>;
    /// For the unit's rows, and for its columns as rows of the mirror image.
    type Partial = [Vec<f64>; 2];

    fn start(&self, rows: usize, cols: usize) -> Result<Vec<f64>> {
        if self.v.len() != cols {
            return Err(Error::shape(format!("a vector of {} for a kernel of {rows} x {cols}", self.v.len())));
        }
        Ok(vec![0.0; rows])
    }

    fn of(&self, tile: &Tile<'_, R>) -> [Vec<f64>; 2] {
        let (v, mirrored) = (&self.v[tile.unit.cols.clone()], tile.mirrored());
        let dot = |entries: &[R]| entries.iter().zip(v).map(|(x, v)| x.f64() * v).sum();
        let own = tile.rows().map(|(_, entries)| dot(entries)).collect();
        let mut image = vec![0.0; if mirrored.is_empty() { 0 } else { v.len() }];
        for (row, entries) in tile.rows().filter(|(row, _)| mirrored.contains(row)) {
            image.iter_mut().zip(entries).for_each(|(sum, x)| *sum += x.f64() * self.v[row]);
        }
        [own, image]
    }

    fn add(&self, sum: &mut Vec<f64>, unit: &Unit, [own, image]: [Vec<f64>; 2]) {
        sum[unit.rows.clone()].iter_mut().zip(own).for_each(|(sum, x)| *sum += x);
        sum.iter_mut().skip(unit.cols.start).zip(image).for_each(|(sum, x)| *sum += x);
    }
}

/// The alignment of K with labels y, y^T K y / (|K|_F |y|^2): 1 where K is y y^T (Cristianini, Shawe-Taylor, Elisseeff and
/// Kandola, 2001).
#[derive(Clone, Debug, PartialEq)]
pub struct Alignment {
    labels: MatVec,
}

/// The two sums that an [`Alignment`] is made of.
#[derive(Clone, Debug, PartialEq)]
pub struct Aligned {
    product: Vec<f64>,
    square: f64,
    labels: Vec<f64>,
}

impl Alignment {
    /// With labels `y`, one for every row of K.
    pub fn new(y: Vec<f64>) -> Self {
        Alignment { labels: MatVec::new(y) }
    }
}

impl Aligned {
    /// The alignment; NaN for a kernel or labels that are zero.
    pub fn value(&self) -> f64 {
        let dot = |x: &[f64]| x.iter().zip(&self.labels).map(|(x, y)| x * y).sum::<f64>();
        dot(&self.product) / (self.square.sqrt() * dot(&self.labels))
    }
}

impl<R: Real> Fold<R> for Alignment {
    type Sum = Aligned;
    type Partial = ([Vec<f64>; 2], f64);

    fn start(&self, rows: usize, cols: usize) -> Result<Aligned> {
        if rows != cols {
            return Err(Error::shape(format!(
                "a kernel of {rows} x {cols} is of two sets of samples: no labels align"
            )));
        }
        let product = Fold::<R>::start(&self.labels, rows, cols)?;
        Ok(Aligned { product, square: 0.0, labels: self.labels.v.clone() })
    }

    fn of(&self, tile: &Tile<'_, R>) -> ([Vec<f64>; 2], f64) {
        (self.labels.of(tile), SquaredNorm.of(tile))
    }

    fn add(&self, sum: &mut Aligned, unit: &Unit, (product, square): ([Vec<f64>; 2], f64)) {
        Fold::<R>::add(&self.labels, &mut sum.product, unit, product);
        sum.square += square;
    }
}
