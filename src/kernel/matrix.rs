//! Kernels in memory: dense matrices with names.

use std::iter::{Chain, Map, Once, once};
use std::slice;

use super::manifest::Manifest;
use crate::error::{Error, Result};
use crate::real::Real;
use crate::tape::layer_name;

/// One or more dense matrices of one size, row-major: `[blocks, rows, cols]`.
///
/// There is one block, or one per output for [`Outputs::PerOutput`](super::Outputs::PerOutput).
#[derive(Clone, PartialEq)]
pub struct Matrix<R> {
    blocks: usize,
    rows: usize,
    cols: usize,
    data: Vec<R>,
}

/// Prints the shape only: a kernel may have millions of entries.
impl<R> std::fmt::Debug for Matrix<R> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Matrix of {} x {} x {} entries", self.blocks, self.rows, self.cols)
    }
}

impl<R: Real> Matrix<R> {
    /// Creates the matrices `[blocks, rows, cols]` from the entries `data`, row-major.
    ///
    /// # Errors
    /// Returns an error if the product of the sizes is not the number of entries.
    pub fn from_vec(blocks: usize, rows: usize, cols: usize, data: Vec<R>) -> Result<Self> {
        if crate::shape::checked_numel(&[blocks, rows, cols]) != Some(data.len()) {
            return Err(Error::shape(format!(
                "a matrix of shape [{blocks}, {rows}, {cols}] needs {} entries, got {}",
                blocks as u128 * rows as u128 * cols as u128,
                data.len()
            )));
        }
        Ok(Matrix { blocks, rows, cols, data })
    }

    /// The number of matrices.
    pub fn blocks(&self) -> usize {
        self.blocks
    }

    /// The number of rows of each matrix.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// The number of columns of each matrix.
    pub fn cols(&self) -> usize {
        self.cols
    }

    /// The shape `[blocks, rows, cols]`.
    pub fn shape(&self) -> [usize; 3] {
        [self.blocks, self.rows, self.cols]
    }

    /// All entries, row-major.
    pub fn as_slice(&self) -> &[R] {
        &self.data
    }

    /// The entries of one block, row-major.
    ///
    /// # Panics
    /// Panics if `block` is out of range.
    pub fn block(&self, block: usize) -> &[R] {
        let size = self.rows * self.cols;
        &self.data[block * size..][..size]
    }

    /// The trace, in f64: the sum over the diagonals of all blocks.
    pub fn trace(&self) -> f64 {
        (0..self.blocks).map(|b| self.block(b).iter().step_by(self.cols + 1).map(|x| x.f64()).sum::<f64>()).sum()
    }

    /// The Frobenius norm |K|_F, in f64, of all blocks together.
    pub fn frobenius_norm(&self) -> f64 {
        let square = |row: &[R]| row.iter().map(|x| x.f64() * x.f64()).sum::<f64>();
        self.data.chunks(self.cols.max(1)).map(square).sum::<f64>().sqrt()
    }

    /// |self - other|_F, in f64.
    ///
    /// # Errors
    /// Returns an error if the shapes differ.
    pub fn distance(&self, other: &Matrix<R>) -> Result<f64> {
        if self.shape() != other.shape() {
            return Err(Error::shape(format!(
                "distance: the matrices have different shapes, {:?} and {:?}",
                self.shape(),
                other.shape()
            )));
        }
        let square = |(x, y): (&R, &R)| (x.f64() - y.f64()).powi(2);
        Ok(self.data.iter().zip(&other.data).map(square).sum::<f64>().sqrt())
    }

    pub(crate) fn add(&mut self, other: &Matrix<R>) {
        self.data.iter_mut().zip(&other.data).for_each(|(x, &y)| *x += y);
    }
}

impl<R: Real> std::ops::Index<(usize, usize)> for Matrix<R> {
    type Output = R;

    /// The entry at (row, column) of the first block.
    ///
    /// # Panics
    /// Panics if the row or the column is out of range.
    fn index(&self, (row, col): (usize, usize)) -> &R {
        assert!(
            row < self.rows && col < self.cols,
            "entry ({row}, {col}) is outside a {} x {} matrix",
            self.rows,
            self.cols
        );
        &self.data[row * self.cols + col]
    }
}

type Named<'a, R> = (&'a str, &'a Matrix<R>);

/// The iterator of [`Kernel::iter`].
pub type KernelIter<'a, R> = Chain<Map<slice::Iter<'a, (String, Matrix<R>)>, Naming<'a, R>>, Once<Named<'a, R>>>;

/// The function that makes a pair of references of a component.
type Naming<'a, R> = fn(&'a (String, Matrix<R>)) -> Named<'a, R>;

fn named<R>((name, matrix): &(String, Matrix<R>)) -> Named<'_, R> {
    (name, matrix)
}

impl<'a, R: Real> IntoIterator for &'a Kernel<R> {
    type Item = Named<'a, R>;
    type IntoIter = KernelIter<'a, R>;

    fn into_iter(self) -> KernelIter<'a, R> {
        self.iter()
    }
}

/// A kernel: its total and, if requested, one component per parameter.
///
/// K(X, X) equals its transpose bit for bit. Iteration gives (name, matrix) pairs: the components in the order of the
/// model, then the total as `"total"`.
#[derive(Clone, Debug, PartialEq)]
pub struct Kernel<R> {
    pub(crate) total: Matrix<R>,
    pub(crate) components: Vec<(String, Matrix<R>)>,
    pub(crate) manifest: Option<Manifest>,
}

impl<R: Real> Kernel<R> {
    /// The NTK: the sum of all components.
    pub fn total(&self) -> &Matrix<R> {
        &self.total
    }

    /// The component of every parameter with its name, in the order of the model. Empty if components were not
    /// requested.
    pub fn components(&self) -> &[(String, Matrix<R>)] {
        &self.components
    }

    /// Iterates over (name, matrix): the components, then the total as `"total"`.
    pub fn iter(&self) -> KernelIter<'_, R> {
        self.components.iter().map(named as Naming<'_, R>).chain(once(("total", &self.total)))
    }

    /// How the kernel was computed; `None` if this crate did not compute it.
    pub fn manifest(&self) -> Option<&Manifest> {
        self.manifest.as_ref()
    }

    /// The component of parameter `name`.
    ///
    /// # Errors
    /// Returns an error if no component has this name, or if components were not requested.
    pub fn component(&self, name: &str) -> Result<&Matrix<R>> {
        let found = self.components.iter().find(|(component, _)| component == name);
        found.map(|(_, matrix)| matrix).ok_or_else(|| {
            let names: Vec<&str> = self.components.iter().map(|(name, _)| name.as_str()).collect();
            Error::name(format!("the kernel has no component '{name}'; its components are [{}]", names.join(", ")))
        })
    }

    /// Sums the components by layer, as the paper counts them (Engel et al., section 3). A layer is the part of a
    /// parameter's name before its last dot: its weight and its bias together. The layers are in the order of the
    /// model.
    #[must_use]
    pub fn by_layer(self) -> Kernel<R> {
        let mut layers: Vec<(String, Matrix<R>)> = Vec::new();
        for (name, matrix) in self.components {
            let layer = layer_name(&name);
            match layers.iter_mut().find(|(found, _)| found == layer) {
                Some((_, sum)) => sum.add(&matrix),
                None => layers.push((layer.to_string(), matrix)),
            }
        }
        Kernel { total: self.total, components: layers, manifest: self.manifest }
    }

    /// Sums the components whose names begin with `prefix`.
    ///
    /// # Errors
    /// Returns an error if no name begins with `prefix`, or if components were not requested.
    pub fn group(&self, prefix: &str) -> Result<Matrix<R>> {
        let in_group = |component: &&(String, Matrix<R>)| component.0.starts_with(prefix);
        let mut group = self.components.iter().filter(in_group).map(|(_, matrix)| matrix);
        let mut sum = match group.next() {
            Some(matrix) => matrix.clone(),
            None => self.component(prefix)?.clone(),
        };
        group.for_each(|matrix| sum.add(matrix));
        Ok(sum)
    }
}
