//! The similarity of two kernels on the same samples.

use std::fmt;

use rayon::prelude::*;

use super::stored;
use crate::error::{Error, Result};
use crate::kernel::{Kernel, Matrix};
use crate::real::Real;

/// <K, L> / (|K| |L|) in the Frobenius inner product: the cosine of the angle between two kernels (Cristianini,
/// Shawe-Taylor, Elisseeff and Kandola 2001). For positive semi-definite kernels it is between 0 and 1. It is 1 if one is a
/// multiple of the other, and 0 if one is zero. Arithmetic is in f64.
///
/// The sink [`Alignment`](crate::kernel::sink::Alignment) computes the alignment of a kernel with labels, L = y y^T, without
/// storing either.
///
/// ```
/// use tangent_kernels::{Matrix, analysis::alignment};
/// let k = Matrix::from_vec(1, 2, 2, vec![1.0f64, 0.0, 0.0, 1.0])?;
/// let l = Matrix::from_vec(1, 2, 2, vec![3.0f32, 4.0, 4.0, 5.0])?;
/// assert_eq!(alignment(&k, &l)?, 8.0 / (2.0f64.sqrt() * 66.0f64.sqrt()));
/// # Ok::<(), tangent_kernels::Error>(())
/// ```
///
/// # Errors
/// A kernel has several blocks, is not square or symmetric, or holds a number that is not finite. The kernels have different
/// sizes.
pub fn alignment<K: Real, L: Real>(k: &Matrix<K>, l: &Matrix<L>) -> Result<f64> {
    check_pair(k, l)?;
    Ok(Centred::uncentred(k).cosine(&Centred::uncentred(l)))
}

/// The [`alignment`] of H K H and H L H with H = I - 1 1^T / n: the alignment of kernels whose features have mean zero over
/// the samples (Cortes, Mohri and Rostamizadeh 2012, "Algorithms for learning kernels based on centered alignment"; as CKA,
/// Kornblith, Norouzi, Lee and Hinton 2019). It does not change if a constant is added to a kernel, such as the component of
/// an output's bias, or if the features are rotated or scaled. It is 0 if a centred kernel is zero to rounding.
///
/// H K H is not stored. Its entry (i, j) is K_ij - r_i - r_j + g, where r are the means of the rows and g is their mean.
/// Entries are centred before they are multiplied, which avoids cancellation of squares. Arithmetic is in f64.
///
/// ```
/// use tangent_kernels::{Matrix, analysis::centred_alignment};
/// let kernel = |entries: [f64; 4]| Matrix::from_vec(1, 2, 2, entries.to_vec());
/// let (k, l) = (kernel([2.0, 0.0, 0.0, 1.0])?, kernel([10.0, 5.0, 5.0, 12.0])?);
/// assert!((centred_alignment(&k, &l)? - 1.0).abs() < 1e-15); // two samples have only one centred direction
/// assert_eq!(centred_alignment(&k, &kernel([7.0; 4])?)?, 0.0);
/// # Ok::<(), tangent_kernels::Error>(())
/// ```
///
/// # Errors
/// As [`alignment`].
pub fn centred_alignment<K: Real, L: Real>(k: &Matrix<K>, l: &Matrix<L>) -> Result<f64> {
    check_pair(k, l)?;
    Ok(Centred::new(k).cosine(&Centred::new(l)))
}

/// The [`centred_alignment`] of every pair of a kernel's components, and of every component with the total.
///
/// ```
/// use tangent_kernels::{Batch, Cpu, Sequential, Session, analysis::centred_alignments};
/// let mut model = Sequential::standard(&[1]).linear("d1", 1).build()?;
/// model.set("d1.weight", &[1, 1], vec![2.0])?;
/// model.set("d1.bias", &[1], vec![0.0])?;
/// let session = Session::new(&model, Cpu::<f64>::new())?;
/// let kernel = session.ntk().compute(&Batch::new(&[1.0, 2.0, -4.0], &[3, 1])?)?;
/// let table = centred_alignments(&kernel)?;
/// assert_eq!(table.names, ["d1.weight", "d1.bias", "total"]);
/// assert!((table.values[(0, 2)] - 1.0).abs() < 1e-15); // the total is the weight's component plus a constant
/// assert_eq!(table.values[(1, 2)], 0.0);
/// println!("{table}");
/// # Ok::<(), tangent_kernels::Error>(())
/// ```
///
/// # Errors
/// The kernel has several blocks, is not square or symmetric, or holds a number that is not finite.
pub fn centred_alignments<R: Real>(kernel: &Kernel<R>) -> Result<AlignmentTable> {
    let components = kernel.components().iter().map(|(name, matrix)| (name.as_str(), matrix));
    let (names, matrices): (Vec<&str>, Vec<_>) = components.chain([("total", kernel.total())]).unzip();
    let mut centred = Vec::with_capacity(names.len());
    for (name, matrix) in names.iter().zip(&matrices) {
        check_pair(matrix, kernel.total()).map_err(|error| error.context(name))?;
        centred.push(Centred::new(matrix));
    }
    let size = names.len();
    let mut values = vec![0.0; size * size];
    for row in 0..size {
        for col in row..size {
            let cosine = centred[row].cosine(&centred[col]);
            values[row * size + col] = cosine;
            values[col * size + row] = cosine;
        }
    }
    let names = names.into_iter().map(String::from).collect();
    Ok(AlignmentTable { names, values: Matrix::from_vec(1, size, size, values)? })
}

/// A symmetric table of alignments. Its `Display` form is a table.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct AlignmentTable {
    /// The names of the rows and columns: the components in the order of the model, and `total`.
    pub names: Vec<String>,
    /// The alignments, `[1, names, names]`.
    pub values: Matrix<f64>,
}

impl fmt::Display for AlignmentTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let width = self.names.iter().map(|name| name.chars().count()).max().unwrap_or(0);
        write_line(f, width, "", &self.names)?;
        for (row, name) in self.names.iter().enumerate() {
            let cells = (0..self.names.len()).map(|col| format!("{:.3}", self.values[(row, col)]));
            write_line(f, width, name, &cells.collect::<Vec<_>>())?;
        }
        Ok(())
    }
}

fn write_line(f: &mut fmt::Formatter<'_>, width: usize, name: &str, cells: &[String]) -> fmt::Result {
    let cells: String = cells.iter().map(|cell| format!("  {cell:>width$}", width = width.max(5))).collect();
    writeln!(f, "{name:<width$}{cells}")
}

fn check_pair<K: Real, L: Real>(k: &Matrix<K>, l: &Matrix<L>) -> Result<()> {
    let rows = stored::symmetric(k)?;
    let other_rows = stored::symmetric(l)?;
    if rows != other_rows {
        return Err(Error::shape(format!(
            "alignment needs two kernels of one size, but they have {rows} and {other_rows} rows"
        )));
    }
    Ok(())
}

/// A kernel with centred entries K_ij - offsets_i - offsets_j.
struct Centred<'a, R> {
    kernel: &'a Matrix<R>,
    offsets: Vec<f64>,
    /// The Frobenius norm. It is 0 if it does not exceed the rounding of the kernel's norm.
    norm: f64,
}

impl<'a, R: Real> Centred<'a, R> {
    /// H K H.
    fn new(kernel: &'a Matrix<R>) -> Self {
        let count = kernel.rows().max(1) as f64;
        let mean = |row: &[R]| row.iter().map(|x| x.f64()).sum::<f64>() / count;
        let means: Vec<f64> = kernel.as_slice().par_chunks_exact(kernel.rows().max(1)).map(mean).collect();
        let half = means.iter().sum::<f64>() / count / 2.0;
        Centred::with_offsets(kernel, means.iter().map(|mean| mean - half).collect())
    }

    /// K without centring.
    fn uncentred(kernel: &'a Matrix<R>) -> Self {
        Centred::with_offsets(kernel, vec![0.0; kernel.rows()])
    }

    fn with_offsets(kernel: &'a Matrix<R>, offsets: Vec<f64>) -> Self {
        let mut centred = Centred { kernel, offsets, norm: 0.0 };
        let norm = centred.inner(&centred).sqrt();
        if norm > stored::rounding::<R>(kernel.rows()) * kernel.frobenius_norm() {
            centred.norm = norm;
        }
        centred
    }

    /// The sum of the products of all entries. Threads take rows, and the rows' sums are added in order.
    fn inner<L: Real>(&self, other: &Centred<'_, L>) -> f64 {
        let rows = self.kernel.rows();
        (0..rows).into_par_iter().map(|row| self.row_product(other, row)).collect::<Vec<f64>>().iter().sum()
    }

    /// The sum of the products of the entries of a row.
    fn row_product<L: Real>(&self, other: &Centred<'_, L>, row: usize) -> f64 {
        let rows = self.kernel.rows();
        let k = &self.kernel.as_slice()[row * rows..];
        let l = &other.kernel.as_slice()[row * rows..];
        let entry = |col: usize| {
            let centred = k[col].f64() - self.offsets[row] - self.offsets[col];
            centred * (l[col].f64() - other.offsets[row] - other.offsets[col])
        };
        (0..rows).map(entry).sum()
    }

    fn cosine<L: Real>(&self, other: &Centred<'_, L>) -> f64 {
        if self.norm == 0.0 || other.norm == 0.0 {
            return 0.0;
        }
        self.inner(other) / (self.norm * other.norm)
    }
}
