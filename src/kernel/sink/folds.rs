//! The built-in folds.

use super::Region;
use super::fold::{Fold, Tile};
use crate::error::{Error, Result};
use crate::real::Real;

/// tr K = sum over n of `K[n,n]`, in f64.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Trace;

impl<R: Real> Fold<R> for Trace {
    type Sum = f64;
    type Partial = f64;

    fn start(&self, rows: usize, cols: usize) -> Result<f64> {
        if rows == cols {
            Ok(0.0)
        } else {
            Err(Error::shape(format!("the trace needs a square kernel K(X, X), got {rows} x {cols}")))
        }
    }

    fn map_tile(&self, tile: &Tile<'_, R>) -> f64 {
        let first = tile.region.cols.start;
        let diagonal =
            |(row, entries): (usize, &[R])| row.checked_sub(first).and_then(|col| entries.get(col)).map(|x| x.f64());
        tile.rows().filter_map(diagonal).sum()
    }

    fn add(&self, sum: &mut f64, _: &Region, partial: f64) {
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

    fn map_tile(&self, tile: &Tile<'_, R>) -> f64 {
        let mirrored = tile.mirrored();
        let row = |(row, entries): (usize, &[R])| {
            let square: f64 = entries.iter().map(|x| x.f64() * x.f64()).sum();
            if mirrored.contains(&row) { 2.0 * square } else { square }
        };
        tile.rows().map(row).sum()
    }

    fn add(&self, sum: &mut f64, _: &Region, partial: f64) {
        *sum += partial;
    }
}

/// The product K v: `[rows]`, in f64.
#[derive(Clone, Debug, PartialEq)]
pub struct MatVec {
    v: Vec<f64>,
}

impl MatVec {
    /// Creates the product with `v`, which has one number per column of K.
    pub fn new(v: Vec<f64>) -> Self {
        MatVec { v }
    }
}

/// The contribution of a tile to K v: for its rows, and for its columns as rows of the mirror image.
fn products<R: Real>(tile: &Tile<'_, R>, v: impl Fn(usize) -> f64) -> [Vec<f64>; 2] {
    let cols = tile.region.cols.clone();
    let mirrored = tile.mirrored();
    let dot = |entries: &[R]| entries.iter().zip(cols.clone()).map(|(x, col)| x.f64() * v(col)).sum();
    let direct = tile.rows().map(|(_, entries)| dot(entries)).collect();
    let mut image = vec![0.0; if mirrored.is_empty() { 0 } else { cols.len() }];
    for (row, entries) in tile.rows().filter(|(row, _)| mirrored.contains(row)) {
        let v = v(row);
        image.iter_mut().zip(entries).for_each(|(sum, x)| *sum += x.f64() * v);
    }
    [direct, image]
}

fn add_products(sum: &mut [f64], region: &Region, [direct, image]: [Vec<f64>; 2]) {
    sum[region.rows.clone()].iter_mut().zip(direct).for_each(|(sum, x)| *sum += x);
    sum.iter_mut().skip(region.cols.start).zip(image).for_each(|(sum, x)| *sum += x);
}

impl<R: Real> Fold<R> for MatVec {
    type Sum = Vec<f64>;
    type Partial = [Vec<f64>; 2];

    fn start(&self, rows: usize, cols: usize) -> Result<Vec<f64>> {
        if self.v.len() != cols {
            return Err(Error::shape(format!(
                "K v: a kernel of {rows} x {cols} needs a vector of {cols} entries, got {}",
                self.v.len()
            )));
        }
        Ok(vec![0.0; rows])
    }

    fn map_tile(&self, tile: &Tile<'_, R>) -> [Vec<f64>; 2] {
        products(tile, |col| self.v[col])
    }

    fn add(&self, sum: &mut Vec<f64>, region: &Region, partial: [Vec<f64>; 2]) {
        add_products(sum, region, partial);
    }
}

/// The row sums, sum over m of `K[n,m]`: `[rows]`, in f64.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct RowSums;

impl<R: Real> Fold<R> for RowSums {
    type Sum = Vec<f64>;
    type Partial = [Vec<f64>; 2];

    fn start(&self, rows: usize, _: usize) -> Result<Vec<f64>> {
        Ok(vec![0.0; rows])
    }

    fn map_tile(&self, tile: &Tile<'_, R>) -> [Vec<f64>; 2] {
        products(tile, |_| 1.0)
    }

    fn add(&self, sum: &mut Vec<f64>, region: &Region, partial: [Vec<f64>; 2]) {
        add_products(sum, region, partial);
    }
}

/// The kernel classifier of Engel et al., section 5.2, without storing the kernel. Its sum is one score per row of K(Z,
/// X): sum over k of Y_k K(z_i, x_k), where Y_k is 1 or -1. The sign of the score is the class of the row's sample.
///
/// ```
/// use tangent_kernels::analysis::accuracy;
/// use tangent_kernels::kernel::sink::{Classifier, Folding};
/// use tangent_kernels::{Batch, Cpu, Sequential, Session};
///
/// let mut model = Sequential::standard(&[1]).linear("d1", 1).build()?;
/// model.set("d1.weight", &[1, 1], vec![2.0])?;
/// model.set("d1.bias", &[1], vec![0.0])?;
/// let session = Session::new(&model, Cpu::<f64>::new())?;
/// let (train, test) = ([1.0, 2.0, -3.0], [5.0, -4.0]);
/// let (train, test) = (Batch::new(&train, &[3, 1])?, Batch::new(&test, &[2, 1])?);
/// let mut folding = Folding::new(Classifier::new(vec![1.0, 1.0, -1.0]));
/// session.ntk().fill_between(&test, &train, &mut folding)?;
/// assert_eq!(accuracy(folding.total()?, &[1.0, -1.0])?, 1.0);
/// # Ok::<(), tangent_kernels::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Classifier {
    labels: MatVec,
}

impl Classifier {
    /// Creates a classifier from the labels of the columns' samples, 1 or -1 each.
    pub fn new(labels: Vec<f64>) -> Self {
        Classifier { labels: MatVec::new(labels) }
    }

    /// Creates a classifier whose terms are multiplied by weights w_k.
    ///
    /// # Errors
    /// Returns an error if the numbers of weights and labels differ.
    pub fn weighted(labels: &[f64], weights: &[f64]) -> Result<Self> {
        if labels.len() != weights.len() {
            return Err(Error::shape(format!(
                "the classifier needs one weight per label, got {} weights and {} labels",
                weights.len(),
                labels.len()
            )));
        }
        Ok(Classifier::new(labels.iter().zip(weights).map(|(y, w)| y * w).collect()))
    }
}

impl<R: Real> Fold<R> for Classifier {
    type Sum = Vec<f64>;
    type Partial = [Vec<f64>; 2];

    fn start(&self, rows: usize, cols: usize) -> Result<Vec<f64>> {
        Fold::<R>::start(&self.labels, rows, cols)
    }

    fn map_tile(&self, tile: &Tile<'_, R>) -> [Vec<f64>; 2] {
        self.labels.map_tile(tile)
    }

    fn add(&self, sum: &mut Vec<f64>, region: &Region, partial: [Vec<f64>; 2]) {
        add_products(sum, region, partial);
    }
}

/// The alignment of K with labels y, y^T K y / (|K|_F |y|^2). It is 1 for K = y y^T (Cristianini, Shawe-Taylor,
/// Elisseeff and Kandola, 2001).
#[derive(Clone, Debug, PartialEq)]
pub struct Alignment {
    labels: MatVec,
}

/// The two sums of an [`Alignment`].
#[derive(Clone, Debug, PartialEq)]
pub struct Aligned {
    product: Vec<f64>,
    square: f64,
    labels: Vec<f64>,
}

impl Alignment {
    /// Creates an alignment with labels `y`, one per row of K.
    pub fn new(y: Vec<f64>) -> Self {
        Alignment { labels: MatVec::new(y) }
    }
}

impl Aligned {
    /// The alignment. It is NaN if the kernel or the labels are zero.
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
            return Err(Error::shape(format!("alignment needs a square kernel K(X, X), got {rows} x {cols}")));
        }
        let product = Fold::<R>::start(&self.labels, rows, cols)?;
        Ok(Aligned { product, square: 0.0, labels: self.labels.v.clone() })
    }

    fn map_tile(&self, tile: &Tile<'_, R>) -> ([Vec<f64>; 2], f64) {
        (self.labels.map_tile(tile), SquaredNorm.map_tile(tile))
    }

    fn add(&self, sum: &mut Aligned, region: &Region, (product, square): ([Vec<f64>; 2], f64)) {
        add_products(&mut sum.product, region, product);
        sum.square += square;
    }
}
