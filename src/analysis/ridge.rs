//! Kernel ridge regression.

use super::operator::Operator;
use super::solve::{CgOptions, conjugate_gradients, small};
use super::stored;
use crate::error::{Error, Result};
use crate::kernel::Matrix;
use crate::real::Real;

/// Kernel ridge regression (Saunders, Gammerman and Vovk 1998; Schölkopf and Smola 2002, "Learning with kernels"). With
/// targets Y of the samples X, `[n, k]`:
///
/// alpha = (K(X, X) + lambda I)^-1 Y, `[n, k]`, and f(z) = K(z, X) alpha, `[k]`.
///
/// f minimises |f(X) - Y|^2 + lambda |f|^2 over the functions of the kernel's space. The sum is over the samples and is not
/// divided by n, and **lambda is not multiplied by n**. If a loss is a mean over n samples, pass n times its lambda. As lambda
/// tends to 0, f tends to the limit of gradient descent from f = 0 ([`GradientFlow`](super::GradientFlow)). For a network
/// that starts from f_0, fit Y - f_0(X) and add f_0(z).
///
/// The kernel can be any square kernel: of one output, of a sum over outputs with k targets per sample, or the full kernel of
/// all outputs, whose rows n C + c take targets `[n, C]` in their order, one per row. Arithmetic is in f64.
///
/// ```
/// use tangent_kernels::{Matrix, analysis::Ridge};
/// let kernel = Matrix::from_vec(1, 2, 2, vec![2.0f64, 1.0, 1.0, 2.0])?;
/// let ridge = Ridge::fit(&kernel, &[4.0, 8.0], 1.0)?; // 3 a + b = 4, a + 3 b = 8
/// assert!((ridge.coefficients()[0] - 0.5).abs() < 1e-15 && (ridge.coefficients()[1] - 2.5).abs() < 1e-15);
/// let cross = Matrix::from_vec(1, 1, 2, vec![2.0f64, 4.0])?; // K(Z, X) of one sample
/// assert!((ridge.predict(&cross)?[0] - 11.0).abs() < 1e-14);
/// # Ok::<(), tangent_kernels::Error>(())
/// ```
///
/// # Without a stored kernel
///
/// [`fit_operator`](Ridge::fit_operator) computes the coefficients from products with K. The sink
/// [`MatVec`](crate::kernel::sink::MatVec) computes predictions from tiles of K(Z, X), one target at a time:
///
/// ```
/// use tangent_kernels::analysis::{Ridge, operator::Operators, solve::CgOptions};
/// use tangent_kernels::kernel::sink::{Folding, MatVec};
/// use tangent_kernels::{Batch, Cpu, Sequential, Session};
///
/// let mut model = Sequential::standard(&[1]).linear("d1", 1).build()?;
/// model.set("d1.weight", &[1, 1], vec![2.0])?;
/// model.set("d1.bias", &[1], vec![0.0])?;
/// let session = Session::new(&model, Cpu::<f64>::new())?; // K(x, z) = x z + 1
/// let train = Batch::new(&[0.0, 1.0], &[2, 1])?;
/// let test = Batch::new(&[3.0], &[1, 1])?;
/// let ridge = Ridge::fit_operator(&Operators::new(&session, &train)?.ntk(), &[1.0, 3.0], 1e-9, &CgOptions::default())?;
/// let mut folding = Folding::new(MatVec::new(ridge.column(0)?));
/// session.ntk().components(false).fill_between(&test, &train, &mut folding)?;
/// assert!((folding.total()?[0] - 7.0).abs() < 1e-6); // the line through (0, 1) and (1, 3)
/// # Ok::<(), tangent_kernels::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Ridge {
    coefficients: Vec<f64>,
    columns: usize,
}

impl Ridge {
    /// Fits a stored kernel, `[n, n]`, to targets `[n, k]`, row-major, by a Cholesky factorisation on one thread. It takes
    /// n^3 / 3 multiplications, and memory for n^2 numbers in addition to the kernel.
    ///
    /// # Errors
    /// The kernel has several blocks, is not square or symmetric, or holds a number that is not finite. The targets are not k
    /// finite numbers per row. `lambda` is not finite or below 0. K + lambda I is singular to rounding: after elimination of
    /// the previous rows, a row's diagonal entry is at most a fraction of its original value. This fraction is the larger of
    /// n times the precision of f64 and the precision of the kernel's numbers. The message names the row and a remedy.
    pub fn fit<R: Real>(kernel: &Matrix<R>, targets: &[f64], lambda: f64) -> Result<Self> {
        let rows = stored::symmetric(kernel)?;
        let columns = stored::columns("targets", targets, rows)?;
        if !lambda.is_finite() || lambda < 0.0 {
            return Err(Error::value(format!("lambda is {lambda}, but must be finite and 0 or more")));
        }
        let entry = |row, col| kernel[(row, col)].f64() + if row == col { lambda } else { 0.0 };
        let rounding = stored::rounding::<R>(rows);
        let solved = small::solved(rows, entry, rounding, targets);
        Ridge::from_coefficients(solved.map_err(|row| singular(row, kernel, lambda, rounding))?, columns)
    }

    /// Fits from products with K only, by [`conjugate_gradients`], one target at a time.
    ///
    /// # Errors
    /// The targets are not k finite numbers per row of the operator. The errors of [`conjugate_gradients`].
    pub fn fit_operator(operator: &dyn Operator, targets: &[f64], lambda: f64, options: &CgOptions) -> Result<Self> {
        let columns = stored::columns("targets", targets, operator.size())?;
        let solve = |k| Ok(conjugate_gradients(operator, lambda, &stored::column(targets, columns, k), options)?.x);
        let solutions = (0..columns).map(solve).collect::<Result<Vec<_>>>()?;
        Ridge::from_coefficients(stored::side_by_side(&solutions), columns)
    }

    fn from_coefficients(coefficients: Vec<f64>, columns: usize) -> Result<Self> {
        if !coefficients.iter().all(|x| x.is_finite()) {
            return Err(Error::value("the coefficients of the ridge regression are too large for f64"));
        }
        Ok(Ridge { coefficients, columns })
    }

    /// alpha, `[n, k]`, row-major.
    pub fn coefficients(&self) -> &[f64] {
        &self.coefficients
    }

    /// k, the number of targets per row.
    pub fn columns(&self) -> usize {
        self.columns
    }

    /// The coefficients of target `column`, `[n]`, for [`MatVec`](crate::kernel::sink::MatVec).
    ///
    /// # Errors
    /// There is no such target.
    pub fn column(&self, column: usize) -> Result<Vec<f64>> {
        if column >= self.columns {
            let columns = self.columns;
            return Err(Error::shape(format!("target {column} does not exist: the fit has {columns} targets")));
        }
        Ok(stored::column(&self.coefficients, self.columns, column))
    }

    /// f(Z) = K(Z, X) alpha, `[m, k]` row-major, from the stored K(Z, X), `[m, n]`, with one row per new sample. Arithmetic
    /// is in f64. Threads take rows.
    ///
    /// # Errors
    /// The kernel has several blocks, a number of columns other than n, or a number that is not finite.
    pub fn predict<R: Real>(&self, cross: &Matrix<R>) -> Result<Vec<f64>> {
        stored::product(cross, &self.coefficients, self.columns)
    }
}

fn singular<R: Real>(row: usize, kernel: &Matrix<R>, lambda: f64, rounding: f64) -> Error {
    let largest = (0..kernel.rows()).fold(0.0f64, |max, row| max.max(kernel[(row, row)].f64()));
    Error::value(format!(
        "K + lambda I with lambda = {lambda} is singular to rounding, or K is not positive semi-definite: row {row} is a \
         combination of the rows before it. This happens if samples are repeated or if there are more rows than parameters. \
         Use a lambda well above {:.1e}, or GradientFlow at infinite time for the solution of least norm",
        rounding * largest
    ))
}
