//! The sink of the upper triangle of K(X, X) in memory.

use super::canvas::{Canvas, Storage};
use super::{Frame, RegionData, Requirements, Sink};
use crate::error::{Error, Result};
use crate::kernel::Matrix;
use crate::real::Real;
use crate::shape::checked_numel;

/// The upper triangle of symmetric matrices, row by row: half the memory of a [`Matrix`].
///
/// Entry (i, j), j >= i, of a matrix of n rows is at i (2 n - i - 1) / 2 + j.
#[derive(Clone, Debug, PartialEq)]
pub struct PackedMatrix<R> {
    blocks: usize,
    side: usize,
    data: Vec<R>,
}

impl<R: Real> PackedMatrix<R> {
    /// The number of matrices.
    pub fn blocks(&self) -> usize {
        self.blocks
    }

    /// The number of rows, and of columns, of each matrix.
    pub fn side(&self) -> usize {
        self.side
    }

    /// The triangles of all blocks, one after another.
    pub fn as_slice(&self) -> &[R] {
        &self.data
    }

    /// The entry (row, col) of a block, in either half.
    ///
    /// # Panics
    /// Panics if an index is out of range.
    pub fn get(&self, block: usize, row: usize, col: usize) -> R {
        let i = row.min(col);
        let j = row.max(col);
        assert!(
            block < self.blocks && j < self.side,
            "entry ({row}, {col}) of block {block} is outside {} matrices of {} rows",
            self.blocks,
            self.side
        );
        self.data[block * self.triangle() + i * (2 * self.side - i - 1) / 2 + j]
    }

    /// The trace, in f64, of all blocks together.
    pub fn trace(&self) -> f64 {
        let diagonal = |block| (0..self.side).map(move |i| self.get(block, i, i).f64());
        (0..self.blocks).flat_map(diagonal).sum()
    }

    /// Copies both halves to a dense matrix.
    ///
    /// # Errors
    /// Returns an error if memory is too small.
    pub fn to_dense(&self) -> Result<Matrix<R>> {
        let shape = [self.blocks, self.side, self.side];
        let mut data = Vec::new();
        let size = checked_numel(&shape).filter(|&size| data.try_reserve_exact(size).is_ok());
        if size.is_none() {
            return Err(Error::memory(format!("to_dense: a kernel of {shape:?} {} does not fit in memory", R::NAME)));
        }
        let row = |(block, i)| (0..self.side).map(move |j| self.get(block, i, j));
        data.extend((0..self.blocks).flat_map(|block| (0..self.side).map(move |i| (block, i))).flat_map(row));
        Matrix::from_vec(self.blocks, self.side, self.side, data)
    }

    fn triangle(&self) -> usize {
        self.side * (self.side + 1) / 2
    }
}

/// A sink that keeps the upper triangle of K(X, X) and of its components in memory.
///
/// ```
/// use tangent_kernels::kernel::sink::Packed;
/// use tangent_kernels::{Batch, Cpu, Sequential, Session};
///
/// let mut model = Sequential::standard(&[1]).linear("d1", 1).build()?;
/// model.set("d1.weight", &[1, 1], vec![2.0])?;
/// model.set("d1.bias", &[1], vec![0.0])?;
/// let session = Session::new(&model, Cpu::<f64>::new())?;
/// let mut packed = Packed::new();
/// session.ntk().fill(&Batch::new(&[1.0, 3.0], &[2, 1])?, &mut packed)?;
/// // f(x) = w x + b, so that K(x, y) = x y + 1.
/// assert_eq!(packed.total()?.as_slice(), [2.0, 4.0, 10.0]);
/// assert_eq!(packed.matrices()[1].0, "d1.weight");
/// # Ok::<(), tangent_kernels::Error>(())
/// ```
pub struct Packed<R: Real> {
    canvas: Option<Canvas<R>>,
    matrices: Vec<(String, PackedMatrix<R>)>,
}

impl<R: Real> Packed<R> {
    /// Creates an empty sink.
    pub fn new() -> Self {
        Packed { canvas: None, matrices: Vec::new() }
    }

    /// The total as `"total"`, and every component by its parameter's name. Empty until a kernel was computed into the
    /// sink.
    pub fn matrices(&self) -> &[(String, PackedMatrix<R>)] {
        &self.matrices
    }

    /// The total.
    ///
    /// # Errors
    /// Returns an error if no kernel was computed into the sink.
    pub fn total(&self) -> Result<&PackedMatrix<R>> {
        self.matrices
            .first()
            .map(|(_, matrix)| matrix)
            .ok_or_else(|| Error::value("the sink is empty: no kernel was computed into it"))
    }
}

impl<R: Real> Default for Packed<R> {
    fn default() -> Self {
        Packed::new()
    }
}

impl<R: Real> Sink<R> for Packed<R> {
    fn requirements(&self) -> Requirements {
        Requirements { bytes_per_entry: size_of::<R>() as f64 / 2.0, ..Requirements::default() }
    }

    fn begin(&mut self, frame: &Frame) -> Result<()> {
        self.matrices.clear();
        self.canvas = Some(Canvas::new(frame, Storage::Upper)?);
        Ok(())
    }

    fn put(&self, data: &RegionData<'_, R>) -> Result<()> {
        let canvas =
            self.canvas.as_ref().ok_or_else(|| Error::value("put: a region came before `begin` was called"))?;
        canvas.write(data.index, data.entries)
    }

    fn end(&mut self, frame: &Frame) -> Result<()> {
        let Some(canvas) = self.canvas.take() else { return Ok(()) };
        let packed = |data| PackedMatrix { blocks: frame.blocks, side: frame.rows, data };
        self.matrices = frame.matrices.iter().cloned().zip(canvas.into_matrices().into_iter().map(packed)).collect();
        Ok(())
    }
}
