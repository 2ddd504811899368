//! How much two kernels of the same samples agree.

use std::fmt;

use rayon::prelude::*;

use super::stored;
use crate::error::{Error, Result};
use crate::kernel::{Kernel, Matrix};
use crate::real::Real;

/// <K, L> / (|K| |L|), in Frobenius' inner product: the cosine of the angle between two kernels (Cristianini, Shawe-Taylor,
/// Elisseeff and Kandola 2001). Between 0 and 1 for positive semi-definite ones, 1 where one is a multiple of the other, and
/// 0 if one is zero. In f64.
///
/// That of a kernel and labels, L = y y^T, without storing either, is the sink
/// [`Alignment`](crate::kernel::sink::Alignment).
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
/// A kernel has several blocks, is not square or symmetric, or holds a number that is not finite; the kernels are of unlike
/// size.
pub fn alignment<K: Real, L: Real>(k: &Matrix<K>, l: &Matrix<L>) -> Result<f64> {
    check_pair(k, l)?;
    Ok(Centred::not(k).cosine(&Centred::not(l)))
}

/// The [`alignment`] of H K H and H L H, H = I - 1 1^T / n: of the kernels of features whose means over the samples were
/// taken away (Cortes, Mohri and Rostamizadeh 2012, "Algorithms for learning kernels based on centered alignment"; as
/// CKA, Kornblith, Norouzi, Lee and Hinton 2019). A constant that is added to a kernel, such as the component of an output's
/// bias, changes nothing; nor does a rotation of the features, or their scale. 0 if a centred kernel is zero, to rounding.
///
/// H K H is not made: entry (i, j) is K_ij - r_i - r_j + g with r the means of the rows and g theirs, and is centred
/// before it is multiplied, so nothing cancels that was squared. In f64.
///
/// ```
/// use tangent_kernels::{Matrix, analysis::centred_alignment};
/// let kernel = |entries: [f64; 4]| Matrix::from_vec(1, 2, 2, entries.to_vec());
/// let (k, l) = (kernel([2.0, 0.0, 0.0, 1.0])?, kernel([10.0, 5.0, 5.0, 12.0])?);
/// assert!((centred_alignment(&k, &l)? - 1.0).abs() < 1e-15); // of two samples there is one centred direction
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

/// The [`centred_alignment`] of every pair of a kernel's components, and of each with the total.
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
/// assert!((table.values[(0, 2)] - 1.0).abs() < 1e-15); // the total is the weight's part, moved by the bias's ones
/// assert_eq!(table.values[(1, 2)], 0.0);
/// println!("{table}");
/// # Ok::<(), tangent_kernels::Error>(())
/// ```
///
/// # Errors
/// The kernel has several blocks, is not square or symmetric, or holds a number that is not finite.
pub fn centred_alignments<R: Real>(kernel: &Kernel<R>) -> Result<Alignments> {
    let components = kernel.components().iter().map(|(name, matrix)| (name.as_str(), matrix));
    let (names, matrices): (Vec<&str>, Vec<_>) = components.chain([("total", kernel.total())]).unzip();
    let centred = names.iter().zip(&matrices).map(|(name, matrix)| {
        check_pair(matrix, kernel.total()).map_err(|error| error.context(name))?;
        Ok(Centred::new(matrix))
    });
    let centred = centred.collect::<Result<Vec<_>>>()?;
    let size = names.len();
    let mut values = vec![0.0; size * size];
    for row in 0..size {
        for col in row..size {
            let cosine = centred[row].cosine(&centred[col]);
            (values[row * size + col], values[col * size + row]) = (cosine, cosine);
        }
    }
    let names = names.into_iter().map(String::from).collect();
    Ok(Alignments { names, values: Matrix::from_vec(1, size, size, values)? })
}

/// A symmetric table of alignments. It prints as one.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Alignments {
    /// What the rows and columns are: the components in the order of the model, and `total`.
    pub names: Vec<String>,
    /// \[1, names, names\]
    pub values: Matrix<f64>,
}

impl fmt::Display for Alignments {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let width = self.names.iter().map(|name| name.chars().count()).max().unwrap_or(0);
        let line = |f: &mut fmt::Formatter<'_>, name: &str, cells: Vec<String>| {
            let cells: String = cells.iter().map(|cell| format!("  {cell:>width$}", width = width.max(5))).collect();
            writeln!(f, "{name:<width$}{cells}")
        };
        line(f, "", self.names.clone())?;
        for (row, name) in self.names.iter().enumerate() {
            let cells = (0..self.names.len()).map(|col| format!("{:.3}", self.values[(row, col)]));
            line(f, name, cells.collect())?;
        }
        Ok(())
    }
}

fn check_pair<K: Real, L: Real>(k: &Matrix<K>, l: &Matrix<L>) -> Result<()> {
    match (stored::symmetric(k)?, stored::symmetric(l)?) {
        (rows, others) if rows == others => Ok(()),
        (rows, others) => Err(Error::shape(format!("kernels of {rows} and of {others} rows have no angle"))),
    }
}

/// A kernel with what is taken from its entries: K_ij - of_row_i - of_row_j.
struct Centred<'a, R> {
    kernel: &'a Matrix<R>,
    of_row: Vec<f64>,
    /// Its norm; 0 where it is no more than rounding of the kernel's.
    norm: f64,
}

impl<'a, R: Real> Centred<'a, R> {
    /// H K H.
    fn new(kernel: &'a Matrix<R>) -> Self {
        let count = kernel.rows().max(1) as f64;
        let mean = |row: &[R]| row.iter().map(|x| x.f64()).sum::<f64>() / count;
        let means: Vec<f64> = kernel.as_slice().par_chunks_exact(kernel.rows().max(1)).map(mean).collect();
        let half = means.iter().sum::<f64>() / count / 2.0;
        Centred::less(kernel, means.iter().map(|mean| mean - half).collect())
    }

    /// K as it is.
    fn not(kernel: &'a Matrix<R>) -> Self {
        Centred::less(kernel, vec![0.0; kernel.rows()])
    }

    fn less(kernel: &'a Matrix<R>, of_row: Vec<f64>) -> Self {
        let mut centred = Centred { kernel, of_row, norm: 0.0 };
        let norm = centred.inner(&centred).sqrt();
        if norm > stored::rounding::<R>(kernel.rows()) * kernel.frobenius_norm() {
            centred.norm = norm;
        }
        centred
    }

    /// The sum of the products of all entries. Threads take rows, whose sums are added in order.
    fn inner<L: Real>(&self, other: &Centred<'_, L>) -> f64 {
        let rows = self.kernel.rows();
        let of_row = |row: usize| -> f64 {
            let (k, l) = (&self.kernel.as_slice()[row * rows..], &other.kernel.as_slice()[row * rows..]);
            let entry = |col: usize| {
                let own = k[col].f64() - self.of_row[row] - self.of_row[col];
                own * (l[col].f64() - other.of_row[row] - other.of_row[col])
            };
            (0..rows).map(entry).sum()
        };
        (0..rows).into_par_iter().map(of_row).collect::<Vec<f64>>().iter().sum()
    }

    fn cosine<L: Real>(&self, other: &Centred<'_, L>) -> f64 {
        if self.norm == 0.0 || other.norm == 0.0 {
            return 0.0;
        }
        self.inner(other) / (self.norm * other.norm)
    }
}
