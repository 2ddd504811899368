//! What analyses ask of kernels that are stored, and of the numbers that go with them.

use rayon::prelude::*;

use crate::error::{Error, Result};
use crate::kernel::Matrix;
use crate::real::Real;

/// The rows of a kernel that is one square matrix.
///
/// # Errors
/// It has several blocks, or is not square.
pub(super) fn one_square<R: Real>(kernel: &Matrix<R>) -> Result<usize> {
    match kernel.shape() {
        [1, rows, cols] if rows == cols => Ok(rows),
        shape => Err(Error::shape(format!("a kernel of shape {shape:?} is not one square matrix"))),
    }
}

/// # Errors
/// A number of the kernel is not finite.
pub(super) fn finite<R: Real>(kernel: &Matrix<R>) -> Result<()> {
    let numbers = kernel.as_slice();
    let Some(at) = numbers.iter().position(|x| !x.is_finite()) else { return Ok(()) };
    let at_block = at % (kernel.rows() * kernel.cols());
    let (row, col) = (at_block / kernel.cols(), at_block % kernel.cols());
    Err(Error::value(format!("the kernel is {} at row {row}, column {col}", numbers[at])))
}

/// As [`one_square`], of finite numbers, and symmetric but for rounding: the kernels of this crate are to the bit, those
/// that others wrote may not be.
///
/// # Errors
/// Two entries that mirror each other differ by more than the root of the precision, beside the largest number.
pub(super) fn symmetric<R: Real>(kernel: &Matrix<R>) -> Result<usize> {
    let rows = one_square(kernel)?;
    finite(kernel)?;
    let largest = kernel.as_slice().iter().fold(0.0f64, |max, x| max.max(x.f64().abs()));
    let allowed = largest * R::EPSILON.f64().sqrt();
    let unlike = |row: usize| {
        let col = (0..row).find(|&col| (kernel[(row, col)].f64() - kernel[(col, row)].f64()).abs() > allowed)?;
        Some((row, col))
    };
    match (0..rows).into_par_iter().find_map_first(unlike) {
        None => Ok(rows),
        Some((row, col)) => Err(Error::value(format!(
            "the kernel is not symmetric: it is {} at row {row}, column {col}, and {} in the mirror; a K(X, Z) is none of \
             K(X, X)",
            kernel[(row, col)],
            kernel[(col, row)]
        ))),
    }
}

/// What rounding leaves unknown of a kernel of so many rows, beside its largest number: that of a sum over the rows in
/// f64, or that of the kernel's own entries, whichever is larger.
pub(super) fn rounding<R: Real>(rows: usize) -> f64 {
    (rows as f64 * f64::EPSILON).max(R::EPSILON.f64())
}

/// k of finite numbers \[rows, k\], row-major.
///
/// # Errors
/// There are none, there are not as many for each row, or one is not finite.
pub(super) fn columns(what: &str, numbers: &[f64], rows: usize) -> Result<usize> {
    if rows == 0 || numbers.is_empty() || !numbers.len().is_multiple_of(rows) {
        return Err(Error::shape(format!(
            "{} {what} for a kernel of {rows} rows, where one or more for each row are needed",
            numbers.len()
        )));
    }
    let columns = numbers.len() / rows;
    shaped(what, numbers, [rows, columns])?;
    Ok(columns)
}

/// # Errors
/// The numbers are not \[rows, columns\], or one is not finite.
pub(super) fn shaped(what: &str, numbers: &[f64], [rows, columns]: [usize; 2]) -> Result<()> {
    if numbers.len() != rows * columns {
        let given = numbers.len();
        return Err(Error::shape(format!("{given} {what}, where {columns} for each of {rows} rows are needed")));
    }
    match numbers.iter().position(|x| !x.is_finite()) {
        None => Ok(()),
        Some(at) => {
            let (row, column) = (at / columns, at % columns);
            Err(Error::value(format!("number {column} of the {what} of row {row} is {}", numbers[at])))
        }
    }
}

/// Column `column` of \[rows, columns\].
pub(super) fn column(numbers: &[f64], columns: usize, column: usize) -> Vec<f64> {
    numbers.iter().skip(column).step_by(columns).copied().collect()
}

/// Columns of one length, side by side: \[rows, columns\], row-major.
pub(super) fn side_by_side(list: &[Vec<f64>]) -> Vec<f64> {
    let rows = list.first().map_or(0, Vec::len);
    (0..rows).flat_map(|row| list.iter().map(move |column| column[row])).collect()
}

/// K c in f64, \[m, k\], of a kernel \[m, n\] and coefficients c, \[n, k\]. Threads take rows.
///
/// # Errors
/// The kernel has several blocks, another number of columns, or a number that is not finite.
pub(super) fn product<R: Real>(kernel: &Matrix<R>, coefficients: &[f64], columns: usize) -> Result<Vec<f64>> {
    let [blocks, rows, cols] = kernel.shape();
    if blocks != 1 || cols * columns != coefficients.len() {
        return Err(Error::shape(format!(
            "a kernel of shape {:?}, where one of [1, m, {}] is needed: a column for each row of the fitted one",
            kernel.shape(),
            coefficients.len() / columns.max(1)
        )));
    }
    finite(kernel)?;
    let mut products = vec![0.0; rows * columns];
    let of_row = |(sums, row): (&mut [f64], &[R])| {
        for (k, own) in row.iter().zip(coefficients.chunks_exact(columns)) {
            sums.iter_mut().zip(own).for_each(|(sum, c)| *sum += k.f64() * c);
        }
    };
    let entries = kernel.as_slice().par_chunks_exact(cols.max(1));
    products.par_chunks_exact_mut(columns.max(1)).zip(entries).for_each(of_row);
    Ok(products)
}
