use rayon::prelude::*;

use super::{Operator, check_vector};
use crate::analysis::stored::one_square;
use crate::error::Result;
use crate::kernel::Matrix;
use crate::real::Real;

/// A stored kernel as an operator, with products in f64. It is used to test solvers and for kernels that fit in memory.
pub struct Dense<'a, R> {
    rows: &'a [R],
    size: usize,
}

impl<'a, R: Real> Dense<'a, R> {
    /// # Errors
    /// The kernel has several blocks or is not square.
    pub fn new(kernel: &'a Matrix<R>) -> Result<Self> {
        one_square(kernel)?;
        Ok(Dense::block(kernel, 0))
    }

    /// One block of a kernel whose blocks are square.
    pub(crate) fn block(kernel: &'a Matrix<R>, block: usize) -> Self {
        Dense { rows: kernel.block(block), size: kernel.rows() }
    }
}

impl<R: Real> Operator for Dense<'_, R> {
    fn size(&self) -> usize {
        self.size
    }

    fn apply(&self, x: &[f64]) -> Result<Vec<f64>> {
        check_vector(x, self.size)?;
        let row = |row: &[R]| row.iter().zip(x).map(|(k, x)| k.f64() * x).sum();
        Ok(self.rows.par_chunks_exact(self.size.max(1)).map(row).collect())
    }
}
