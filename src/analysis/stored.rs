//! Checks of stored kernels and of the numbers that belong to their rows.

use rayon::prelude::*;

use crate::error::{Error, Result};
use crate::kernel::Matrix;
use crate::real::Real;

/// The number of rows of a kernel that is one square matrix.
///
/// # Errors
/// The kernel has several blocks or is not square.
pub(super) fn one_square<R: Real>(kernel: &Matrix<R>) -> Result<usize> {
    match kernel.shape() {
        [1, rows, cols] if rows == cols => Ok(rows),
        shape => Err(Error::shape(format!("one square kernel is needed, got a kernel of shape {shape:?}"))),
    }
}

/// # Errors
/// A number of the kernel is not finite.
/// A number of the kernel is not finite.
pub(super) fn finite<R: Real>(kernel: &Matrix<R>) -> Result<()> {
    let numbers = kernel.as_slice();
    let Some(index) = numbers.iter().position(|x| !x.is_finite()) else { return Ok(()) };
    let in_block = index % (kernel.rows() * kernel.cols());
    let row = in_block / kernel.cols();
    let col = in_block % kernel.cols();
    Err(Error::value(format!("the kernel is {} at row {row}, column {col}, but must be finite", numbers[index])))
}

/// As [`one_square`]. In addition, the numbers are finite and the kernel is symmetric to rounding. Kernels of this crate are
/// symmetric to the bit. Kernels from other programs may not be.
///
/// # Errors
/// Two mirrored entries differ by more than the root of the precision times the largest number.
pub(super) fn symmetric<R: Real>(kernel: &Matrix<R>) -> Result<usize> {
    let rows = one_square(kernel)?;
    finite(kernel)?;
    let largest = kernel.as_slice().iter().fold(0.0f64, |max, x| max.max(x.f64().abs()));
    let allowed = largest * R::EPSILON.f64().sqrt();
    let asymmetric = |row: usize| {
        let col = (0..row).find(|&col| (kernel[(row, col)].f64() - kernel[(col, row)].f64()).abs() > allowed)?;
        Some((row, col))
    };
    match (0..rows).into_par_iter().find_map_first(asymmetric) {
        None => Ok(rows),
        Some((row, col)) => Err(Error::value(format!(
            "the kernel is not symmetric: it is {} at row {row}, column {col}, but {} at the mirrored entry; pass a kernel \
             K(X, X)",
            kernel[(row, col)],
            kernel[(col, row)]
        ))),
    }
}

/// The relative rounding error of a kernel with this number of rows: that of a sum over the rows in f64, or that of the
/// kernel's entries, whichever is larger.
pub(super) fn rounding<R: Real>(rows: usize) -> f64 {
    (rows as f64 * f64::EPSILON).max(R::EPSILON.f64())
}

/// The k of finite numbers `[rows, k]`, row-major.
///
/// # Errors
/// There are no numbers, their number is not a multiple of `rows`, or one is not finite.
pub(super) fn columns(what: &str, numbers: &[f64], rows: usize) -> Result<usize> {
    if rows == 0 || numbers.is_empty() || !numbers.len().is_multiple_of(rows) {
        let given = numbers.len();
        return Err(Error::shape(format!(
            "got {given} {what} for a kernel of {rows} rows, but each row needs the same number of them, at least one"
        )));
    }
    let columns = numbers.len() / rows;
    shaped(what, numbers, [rows, columns])?;
    Ok(columns)
}

/// # Errors
/// The numbers are not `[rows, columns]`, or one is not finite.
pub(super) fn shaped(what: &str, numbers: &[f64], [rows, columns]: [usize; 2]) -> Result<()> {
    if numbers.len() != rows * columns {
        let given = numbers.len();
        return Err(Error::shape(format!("got {given} {what}, but {columns} for each of {rows} rows are needed")));
    }
    match numbers.iter().position(|x| !x.is_finite()) {
        None => Ok(()),
        Some(index) => {
            let row = index / columns;
            let column = index % columns;
            let value = numbers[index];
            Err(Error::value(format!("number {column} of the {what} of row {row} is {value}, but must be finite")))
        }
    }
}

/// Column `column` of numbers `[rows, columns]`.
pub(super) fn column(numbers: &[f64], columns: usize, column: usize) -> Vec<f64> {
    numbers.iter().skip(column).step_by(columns).copied().collect()
}

/// Columns of equal length, side by side: `[rows, columns]`, row-major.
pub(super) fn side_by_side(columns: &[Vec<f64>]) -> Vec<f64> {
    let rows = columns.first().map_or(0, Vec::len);
    (0..rows).flat_map(|row| columns.iter().map(move |column| column[row])).collect()
}

/// K c in f64, `[m, k]`, for a kernel `[m, n]` and coefficients c, `[n, k]`. Threads take rows.
///
/// # Errors
/// The kernel has several blocks, another number of columns, or a number that is not finite.
pub(super) fn product<R: Real>(kernel: &Matrix<R>, coefficients: &[f64], columns: usize) -> Result<Vec<f64>> {
    let [blocks, rows, cols] = kernel.shape();
    if blocks != 1 || cols * columns != coefficients.len() {
        return Err(Error::shape(format!(
            "a kernel of shape {:?} does not fit; [1, m, {}] is needed, with one column per row of the fitted kernel",
            kernel.shape(),
            coefficients.len() / columns.max(1)
        )));
    }
    finite(kernel)?;
    let mut products = vec![0.0; rows * columns];
    let row_products = |(sums, row): (&mut [f64], &[R])| {
        for (k, coefficients) in row.iter().zip(coefficients.chunks_exact(columns)) {
            sums.iter_mut().zip(coefficients).for_each(|(sum, c)| *sum += k.f64() * c);
        }
    };
    let entries = kernel.as_slice().par_chunks_exact(cols.max(1));
    products.par_chunks_exact_mut(columns.max(1)).zip(entries).for_each(row_products);
    Ok(products)
}
