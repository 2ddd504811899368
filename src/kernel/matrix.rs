//! Kernels as results: dense matrices with names.

use super::manifest::Manifest;
use crate::error::{Error, Result};
use crate::real::Real;

/// One or more dense matrices of one size, row-major: \[blocks, rows, cols\].
///
/// There is one block but for [`Outputs::PerOutput`](super::Outputs::PerOutput), where there is one for each output.
#[derive(Clone, PartialEq)]
pub struct Matrix<R> {
    blocks: usize,
    rows: usize,
    cols: usize,
    data: Vec<R>,
}

/// Its sizes, not its entries: a kernel may have millions.
impl<R> std::fmt::Debug for Matrix<R> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Matrix of {} x {} x {} entries", self.blocks, self.rows, self.cols)
    }
}

impl<R: Real> Matrix<R> {
    /// The matrices \[blocks, rows, cols\] with the entries `data`, row-major.
    ///
    /// # Errors
    /// The sizes do not multiply to the number of entries.
    pub fn from_vec(blocks: usize, rows: usize, cols: usize, data: Vec<R>) -> Result<Self> {
        if crate::shape::checked_numel(&[blocks, rows, cols]) != Some(data.len()) {
            return Err(Error::shape(format!(
                "{blocks} matrices of {rows} x {cols} do not have {} entries",
                data.len()
            )));
        }
        Ok(Matrix { blocks, rows, cols, data })
    }

    /// The number of matrices.
    pub fn blocks(&self) -> usize {
        self.blocks
    }

    /// The number of rows of each.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// The number of columns of each.
    pub fn cols(&self) -> usize {
        self.cols
    }

    /// \[blocks, rows, cols\]
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
    /// If there is no such block.
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
    /// The shapes differ.
    pub fn distance(&self, other: &Matrix<R>) -> Result<f64> {
        if self.shape() != other.shape() {
            return Err(Error::shape(format!("kernels of shapes {:?} and {:?}", self.shape(), other.shape())));
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

    /// The entry at row and column of the first block.
    ///
    /// # Panics
    /// If there is no such row or column.
    fn index(&self, (row, col): (usize, usize)) -> &R {
        assert!(row < self.rows && col < self.cols, "entry ({row}, {col}) of a {} x {} kernel", self.rows, self.cols);
        &self.data[row * self.cols + col]
    }
}

/// A kernel: its total and, if they were asked for, its components.
///
/// K(X, X) equals its transpose to the bit.
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

    /// The part of every parameter under its name, in the order of the model; empty if none were asked for.
    pub fn components(&self) -> &[(String, Matrix<R>)] {
        &self.components
    }

    /// What it was computed with; `None` if this crate did not compute it.
    pub fn manifest(&self) -> Option<&Manifest> {
        self.manifest.as_ref()
    }

    /// The part of parameter `name`.
    ///
    /// # Errors
    /// There is no such component, or components were not asked for.
    pub fn component(&self, name: &str) -> Result<&Matrix<R>> {
        let found = self.components.iter().find(|(own, _)| own == name);
        found.map(|(_, matrix)| matrix).ok_or_else(|| {
            let names: Vec<&str> = self.components.iter().map(|(name, _)| name.as_str()).collect();
            Error::name(format!("there is no component '{name}'; the kernel has [{}]", names.join(", ")))
        })
    }

    /// The kernel with its components summed by layer, as the paper counts them (Engel et al., section 3): a layer is what
    /// stands before the last dot of a parameter's name, its weight and its bias together. In the order of the model.
    #[must_use]
    pub fn by_layer(self) -> Kernel<R> {
        let mut layers: Vec<(String, Matrix<R>)> = Vec::new();
        for (name, matrix) in self.components {
            let layer = name.rsplit_once('.').map_or(name.as_str(), |(layer, _)| layer);
            match layers.iter_mut().find(|(own, _)| own == layer) {
                Some((_, sum)) => sum.add(&matrix),
                None => layers.push((layer.to_string(), matrix)),
            }
        }
        Kernel { total: self.total, components: layers, manifest: self.manifest }
    }

    /// The sum of the components whose names begin with `prefix`.
    ///
    /// # Errors
    /// No name does, or components were not asked for.
    pub fn group(&self, prefix: &str) -> Result<Matrix<R>> {
        let mut list = self.components.iter().filter(|(name, _)| name.starts_with(prefix)).map(|(_, matrix)| matrix);
        let mut sum = match list.next() {
            Some(matrix) => matrix.clone(),
            None => self.component(prefix)?.clone(),
        };
        list.for_each(|matrix| sum.add(matrix));
        Ok(sum)
    }
}
