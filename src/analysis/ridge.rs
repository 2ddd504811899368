//! Kernel ridge regression.

use super::operator::Operator;
use super::solve::{CgOptions, conjugate_gradients, small};
use super::stored;
use crate::error::{Error, Result};
use crate::kernel::Matrix;
use crate::real::Real;

/// Kernel ridge regression (Saunders, Gammerman and Vovk 1998; Schölkopf and Smola 2002, "Learning with kernels"): with
/// targets Y of the samples X, \[n, k\],
///
/// alpha = (K(X, X) + lambda I)^-1 Y, \[n, k\], and f(z) = K(z, X) alpha, \[k\].
///
/// Of all functions of the kernel's space it is the one of the least |f(X) - Y|^2 + lambda |f|^2. The sum is over the
/// samples and is not divided by n, and **lambda is not multiplied by n**: where a loss is the mean over n samples, give n
/// times its lambda. As lambda falls to 0, f becomes what gradient descent ends in from f = 0
/// ([`GradientFlow`](super::GradientFlow)); a network that starts from f_0 is described by fitting Y - f_0(X) and adding f_0(z).
///
/// Any square kernel will do: of one output, of a sum of outputs with k targets a sample, or the full kernel of all
/// outputs, whose rows n C + c take targets \[n, C\] as they lie, one for each row. Arithmetic is in f64.
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
/// # Without storing anything
///
/// The coefficients come from products with K alone by [`fit_operator`](Ridge::fit_operator), and predictions from K(Z, X) as its
/// tiles are computed, by the sink [`MatVec`](crate::kernel::sink::MatVec), target by target:
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
/// let (train, test) = (Batch::new(&[0.0, 1.0], &[2, 1])?, Batch::new(&[3.0], &[1, 1])?);
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
    /// From a stored kernel, \[n, n\], and targets \[n, k\], row-major, by Cholesky's factorisation on one thread: n^3 / 3
    /// multiplications, and n^2 numbers beside the kernel.
    ///
    /// # Errors
    /// The kernel has several blocks, is not square or symmetric, or holds a number that is not finite; targets that are
    /// not k finite numbers for each row; `lambda` is no number above or equal to 0. K + lambda I is singular to rounding:
    /// what the rows before leave of a row's diagonal entry is no more of it than n times the precision of f64, or than the
    /// precision of the kernel's numbers. The message says at which row, and what to do.
    pub fn fit<R: Real>(kernel: &Matrix<R>, targets: &[f64], lambda: f64) -> Result<Self> {
        let rows = stored::symmetric(kernel)?;
        let columns = stored::columns("targets", targets, rows)?;
        if !lambda.is_finite() || lambda < 0.0 {
            return Err(Error::value(format!("lambda is {lambda}, where 0 or more is needed")));
        }
        let entry = |row, col| kernel[(row, col)].f64() + if row == col { lambda } else { 0.0 };
        let rounding = stored::rounding::<R>(rows);
        let solved = small::solved(rows, entry, rounding, targets);
        Ridge::of(solved.map_err(|row| singular(row, kernel, lambda, rounding))?, columns)
    }

    /// From products with K alone, by [`conjugate_gradients`], target by target.
    ///
    /// # Errors
    /// Targets that are not k finite numbers for each row of the operator, and all that
    /// [`conjugate_gradients`] refuses.
    pub fn fit_operator(operator: &dyn Operator, targets: &[f64], lambda: f64, options: &CgOptions) -> Result<Self> {
        let columns = stored::columns("targets", targets, operator.size())?;
        let solve = |k| Ok(conjugate_gradients(operator, lambda, &stored::column(targets, columns, k), options)?.x);
        let solutions = (0..columns).map(solve).collect::<Result<Vec<_>>>()?;
        Ridge::of(stored::side_by_side(&solutions), columns)
    }

    fn of(coefficients: Vec<f64>, columns: usize) -> Result<Self> {
        match coefficients.iter().all(|x| x.is_finite()) {
            true => Ok(Ridge { coefficients, columns }),
            false => Err(Error::value("the coefficients are too large for f64")),
        }
    }

    /// alpha, \[n, k\], row-major.
    pub fn coefficients(&self) -> &[f64] {
        &self.coefficients
    }

    /// k, the number of targets of every row.
    pub fn columns(&self) -> usize {
        self.columns
    }

    /// The coefficients of target `column`, \[n\]: what [`MatVec`](crate::kernel::sink::MatVec) takes.
    ///
    /// # Errors
    /// There is no such target.
    pub fn column(&self, column: usize) -> Result<Vec<f64>> {
        if column >= self.columns {
            return Err(Error::shape(format!("target {column} of a fit to {}", self.columns)));
        }
        Ok(stored::column(&self.coefficients, self.columns, column))
    }

    /// f(Z) = K(Z, X) alpha, \[m, k\] row-major, from the stored K(Z, X), \[m, n\]: rows are the new samples'. In f64;
    /// threads take rows.
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
        "K + lambda I with lambda = {lambda} is singular to rounding, or K is no positive semi-definite matrix: row {row} \
         is a combination of the rows before it. So it is where samples are there twice, or there are more rows than \
         parameters. Take a lambda well above {:.1e}, or for the solution of the least norm GradientFlow at infinite time",
        rounding * largest
    ))
}
