//! The folds that there are.

use super::Region;
use super::fold::{Fold, Tile};
use crate::analysis::accuracy;
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
        let first = tile.region.cols.start;
        let own =
            |(row, entries): (usize, &[R])| row.checked_sub(first).and_then(|at| entries.get(at)).map(|x| x.f64());
        tile.rows().filter_map(own).sum()
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

    fn of(&self, tile: &Tile<'_, R>) -> f64 {
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

/// K v, \[rows\], in f64.
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

/// What a unit adds to K v: for its rows, and for its columns as rows of the mirror image.
fn products<R: Real>(tile: &Tile<'_, R>, v: impl Fn(usize) -> f64) -> [Vec<f64>; 2] {
    let (cols, mirrored) = (tile.region.cols.clone(), tile.mirrored());
    let dot = |entries: &[R]| entries.iter().zip(cols.clone()).map(|(x, col)| x.f64() * v(col)).sum();
    let own = tile.rows().map(|(_, entries)| dot(entries)).collect();
    let mut image = vec![0.0; if mirrored.is_empty() { 0 } else { cols.len() }];
    for (row, entries) in tile.rows().filter(|(row, _)| mirrored.contains(row)) {
        let v = v(row);
        image.iter_mut().zip(entries).for_each(|(sum, x)| *sum += x.f64() * v);
    }
    [own, image]
}

fn add_products(sum: &mut [f64], region: &Region, [own, image]: [Vec<f64>; 2]) {
    sum[region.rows.clone()].iter_mut().zip(own).for_each(|(sum, x)| *sum += x);
    sum.iter_mut().skip(region.cols.start).zip(image).for_each(|(sum, x)| *sum += x);
}

impl<R: Real> Fold<R> for MatVec {
    type Sum = Vec<f64>;
    type Partial = [Vec<f64>; 2];

    fn start(&self, rows: usize, cols: usize) -> Result<Vec<f64>> {
        if self.v.len() != cols {
            return Err(Error::shape(format!("a vector of {} for a kernel of {rows} x {cols}", self.v.len())));
        }
        Ok(vec![0.0; rows])
    }

    fn of(&self, tile: &Tile<'_, R>) -> [Vec<f64>; 2] {
        products(tile, |col| self.v[col])
    }

    fn add(&self, sum: &mut Vec<f64>, region: &Region, partial: [Vec<f64>; 2]) {
        add_products(sum, region, partial);
    }
}

/// The sum of every row, sum over m of K\[n,m\], \[rows\], in f64.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct RowSums;

impl<R: Real> Fold<R> for RowSums {
    type Sum = Vec<f64>;
    type Partial = [Vec<f64>; 2];

    fn start(&self, rows: usize, _: usize) -> Result<Vec<f64>> {
        Ok(vec![0.0; rows])
    }

    fn of(&self, tile: &Tile<'_, R>) -> [Vec<f64>; 2] {
        products(tile, |_| 1.0)
    }

    fn add(&self, sum: &mut Vec<f64>, region: &Region, partial: [Vec<f64>; 2]) {
        add_products(sum, region, partial);
    }
}

/// The paper's kernel classifier without the kernel: the sample of row i of K(Z, X) has the class that is the sign of
/// sum over k of Y_k K(z_i, x_k), Y_k being 1 or -1 (Engel et al., section 5.2).
///
/// ```
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
/// assert_eq!(folding.total()?.accuracy(&[1.0, -1.0])?, 1.0);
/// # Ok::<(), tangent_kernels::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Classifier {
    labels: MatVec,
}

impl Classifier {
    /// With the labels of the columns' samples, 1 or -1 each.
    pub fn new(labels: Vec<f64>) -> Self {
        Classifier { labels: MatVec::new(labels) }
    }

    /// The same with the sum's terms multiplied by weights w_k.
    ///
    /// # Errors
    /// There is not one weight for each label.
    pub fn weighted(labels: &[f64], weights: &[f64]) -> Result<Self> {
        if labels.len() != weights.len() {
            return Err(Error::shape(format!("{} weights for {} labels", weights.len(), labels.len())));
        }
        Ok(Classifier::new(labels.iter().zip(weights).map(|(y, w)| y * w).collect()))
    }
}

/// What a [`Classifier`] says of every row's sample.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Classified {
    /// The sums, \[rows\], whose signs are the classes.
    pub scores: Vec<f64>,
}

impl Classified {
    /// The share of scores that have the sign of their label; a score of 0 has none.
    ///
    /// # Errors
    /// There are no scores, or not one label for each.
    pub fn accuracy(&self, labels: &[f64]) -> Result<f64> {
        accuracy(&self.scores, labels)
    }
}

impl<R: Real> Fold<R> for Classifier {
    type Sum = Classified;
    type Partial = [Vec<f64>; 2];

    fn start(&self, rows: usize, cols: usize) -> Result<Classified> {
        Ok(Classified { scores: Fold::<R>::start(&self.labels, rows, cols)? })
    }

    fn of(&self, tile: &Tile<'_, R>) -> [Vec<f64>; 2] {
        self.labels.of(tile)
    }

    fn add(&self, sum: &mut Classified, region: &Region, partial: [Vec<f64>; 2]) {
        add_products(&mut sum.scores, region, partial);
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

    fn add(&self, sum: &mut Aligned, region: &Region, (product, square): ([Vec<f64>; 2], f64)) {
        add_products(&mut sum.product, region, product);
        sum.square += square;
    }
}
