//! Gradient descent of a network in the kernel regime, at any time.

use std::fmt;

use rayon::prelude::*;

use super::solve::small::{Spectrum, spectrum};
use super::solve::vectors::{combined, dot};
use super::spectrum::largest_eigenvalue;
use super::stored;
use crate::error::{Error, Result};
use crate::kernel::Matrix;
use crate::real::Real;

/// The length of training on the loss L = 1/(2n) sum over the n samples of |f - y|^2. A step is a time of 1. If the learning
/// rate is small compared with [`learning_rate_bound`], the flow up to t = s agrees with s steps.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum Descent {
    /// Gradient flow, d theta / dt = -rate grad L, up to `time`, which may be infinite.
    Flow {
        /// The learning rate eta.
        rate: f64,
        /// The time t.
        time: f64,
    },
    /// `steps` steps of gradient descent, theta -= rate grad L.
    Steps {
        /// The learning rate eta.
        rate: f64,
        /// The number of steps.
        steps: u64,
    },
}

impl Descent {
    fn check(self) -> Result<()> {
        let (Descent::Flow { rate, .. } | Descent::Steps { rate, .. }) = self;
        if !rate.is_finite() || rate <= 0.0 {
            return Err(Error::value(format!("the learning rate is {rate}, but must be finite and above 0")));
        }
        match self {
            Descent::Flow { time, .. } if time.is_nan() || time < 0.0 => {
                Err(Error::value(format!("the training time is {time}, but must be 0 or more")))
            }
            _ => Ok(()),
        }
    }

    /// eta t / n, the limit of phi for eigenvalue 0.
    fn reach(self, samples: f64) -> f64 {
        match self {
            Descent::Flow { rate, time } => rate / samples * time,
            Descent::Steps { rate, steps } => rate / samples * steps as f64,
        }
    }

    /// The learnt fraction of the residual along an eigenvector with eigenvalue lambda.
    fn learnt(self, lambda: f64, samples: f64) -> f64 {
        match self {
            _ if lambda == 0.0 => 0.0, // 0 times an infinite time would be NaN
            Descent::Flow { .. } => -Real::exp_m1(-lambda * self.reach(samples)),
            Descent::Steps { rate, steps } => descended(rate / samples * lambda, steps),
        }
    }

    /// The learnt fraction divided by lambda, with its limit at lambda = 0. At infinite time this limit is replaced by 0,
    /// which omits the part that cannot be learnt.
    fn phi(self, lambda: f64, samples: f64) -> f64 {
        let reach = self.reach(samples);
        if lambda > 0.0 && lambda * reach > f64::EPSILON {
            self.learnt(lambda, samples) / lambda
        } else if reach.is_finite() {
            reach
        } else {
            0.0
        }
    }
}

/// 1 - (1 - x)^steps, accurate for small x.
fn descended(x: f64, steps: u64) -> f64 {
    if x < 1.0 {
        return -Real::exp_m1(steps as f64 * Real::ln_1p(-x));
    }
    let remaining = (x - 1.0).powf(steps as f64);
    if steps.is_multiple_of(2) { 1.0 - remaining } else { 1.0 + remaining }
}

/// The predictions of a network in the kernel regime after any time of training on the squared error (Jacot, Gabriel and
/// Hongler 2018; Lee et al. 2019, "Wide neural networks of any depth evolve as linear models under gradient descent"). The
/// network is its linearisation around the initial parameters, so its kernel K is constant. f_0 are the outputs before
/// training. The loss is L = 1/(2n) sum over the n samples of |f - y|^2, the mean of
/// [`Loss::SquaredError`](crate::Loss::SquaredError). With learning rate eta,
///
/// f_t(X) = f_0(X) + (I - e^(-eta K t / n)) (Y - f_0(X)),
///
/// f_t(Z) = f_0(Z) + K(Z, X) phi_t(K) (Y - f_0(X)), phi_t(lambda) = (1 - e^(-eta lambda t / n)) / lambda,
///
/// After s steps of gradient descent the formulas hold with (1 - eta lambda / n)^s instead of the exponential: see
/// [`Descent`]. K is decomposed once as U diag(lambda) U^T. Each time then takes about n^2 k multiplications.
///
/// phi_t(0) is the limit eta t / n. Eigenvalues up to [`rank_tolerance`](Self::rank_tolerance), and negative eigenvalues,
/// count as 0. The part of the residual along them is never learnt. At infinite time it is omitted, and the coefficients are
/// those of the pseudo-inverse, the solution of least norm.
///
/// ```
/// use tangent_kernels::{Matrix, analysis::{Descent, GradientFlow}};
/// let kernel = Matrix::from_vec(1, 2, 2, vec![2.0f64, 0.0, 0.0, 0.0])?;
/// let flow = GradientFlow::new(&kernel, 2, &[1.0, 1.0], &[0.0, 0.0])?; // 2 samples, targets 1, f_0 = 0
/// let f = flow.train(Descent::Flow { rate: 1.0, time: 3.0 })?;
/// assert!((f[0] - (1.0 - (-3.0f64).exp())).abs() < 1e-15 && f[1] == 0.0); // lambda / n is 1
/// let cross = Matrix::from_vec(1, 1, 2, vec![1.0f64, 0.0])?;
/// let f = flow.predict(Descent::Flow { rate: 1.0, time: f64::INFINITY }, &cross, &[0.25])?;
/// assert!((f[0] - 0.75).abs() < 1e-15); // f_0 + K(z, x) y / K(x, x)
/// # Ok::<(), tangent_kernels::Error>(())
/// ```
#[derive(Clone)]
pub struct GradientFlow {
    /// Eigenvalues that are zero to rounding are set to 0.
    spectrum: Spectrum,
    tolerance: f64,
    samples: f64,
    /// f_0(X), `[n, k]`.
    before: Vec<f64>,
    /// U^T (Y - f_0(X)), target by target.
    along: Vec<Vec<f64>>,
}

/// Prints the sizes, without the eigenvectors.
impl fmt::Debug for GradientFlow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "GradientFlow of {} rows with {} targets each", self.eigenvalues().len(), self.along.len())
    }
}

impl GradientFlow {
    /// `kernel` is the stored K(X, X). The targets Y and the outputs f_0(X) before training are row-major, with k numbers per
    /// row of the kernel. For a kernel of one output, or of the mean over outputs, a row is a sample and k is the number of
    /// outputs. For the full kernel of all outputs, row n C + c, the arrays `[n, C]` have n C rows and k is 1.
    ///
    /// `samples` is the number n that divides the loss: the number of samples, for any kind of rows. It can express other
    /// normalisations: n C if the loss is also a mean over outputs, as in neural-tangents, and 1 if it is a sum.
    ///
    /// The cost is n^3 on one thread, and memory for n^2 numbers. faer's dense solver takes seconds for 2,000 rows.
    ///
    /// # Errors
    /// The kernel has several blocks, is not square or symmetric, or holds a number that is not finite. The targets or outputs
    /// are not k finite numbers per row. `samples` is 0. The kernel has an eigenvalue so far below 0 that rounding cannot
    /// explain it. The eigenvalues do not converge.
    pub fn new<R: Real>(kernel: &Matrix<R>, samples: usize, targets: &[f64], f0: &[f64]) -> Result<Self> {
        let rows = stored::symmetric(kernel)?;
        let columns = stored::columns("targets", targets, rows)?;
        stored::shaped("outputs before training", f0, [rows, columns])?;
        let samples = counted(samples)?;
        let mut spectrum = spectrum(rows, |row, col| kernel[(row, col)].f64())?;
        let tolerance = semi_definite::<R>(&mut spectrum.values)?;
        let residual: Vec<f64> = targets.iter().zip(f0).map(|(y, f)| y - f).collect();
        let along = |column| {
            let residual = stored::column(&residual, columns, column);
            spectrum.vectors.par_iter().map(|vector| dot(vector, &residual)).collect()
        };
        let along = (0..columns).map(along).collect();
        Ok(GradientFlow { spectrum, tolerance, samples, before: f0.to_vec(), along })
    }

    /// The eigenvalues of K, largest first. Eigenvalues that are zero to rounding are 0.
    pub fn eigenvalues(&self) -> &[f64] {
        &self.spectrum.values
    }

    /// The largest eigenvalue that counts as 0: the largest eigenvalue of K times the larger of n times the precision of f64
    /// (n is the number of rows) and the precision of the kernel's numbers.
    pub fn rank_tolerance(&self) -> f64 {
        self.tolerance
    }

    /// f_t(X), `[n, k]` row-major. At t = 0 it is f_0(X). At infinite time it is the targets, except for the part along
    /// eigenvalues 0.
    ///
    /// # Errors
    /// The learning rate is not above 0, or the time is below 0. The steps diverge beyond f64 ([`learning_rate_bound`]).
    pub fn train(&self, descent: Descent) -> Result<Vec<f64>> {
        let learnt = self.weighted(descent, Descent::learnt)?;
        Ok(self.before.iter().zip(learnt).map(|(f, learnt)| f + learnt).collect())
    }

    /// phi_t(K) (Y - f_0(X)), `[n, k]` row-major. f_t(Z) - f_0(Z) is K(Z, X) times these coefficients.
    /// [`MatVec`](crate::kernel::sink::MatVec) computes this product without storing K(Z, X): see [`Ridge`](super::Ridge).
    ///
    /// # Errors
    /// As [`train`](Self::train).
    pub fn coefficients(&self, descent: Descent) -> Result<Vec<f64>> {
        self.weighted(descent, Descent::phi)
    }

    /// f_t(Z), `[m, k]` row-major, from the stored K(Z, X), `[m, n]`, with one row per new sample, and the outputs f_0(Z)
    /// before training, `[m, k]`.
    ///
    /// # Errors
    /// As [`train`](Self::train). The kernel has several blocks, a number of columns other than n, or a number that is not
    /// finite. The outputs are not k finite numbers per row.
    pub fn predict<R: Real>(&self, descent: Descent, cross: &Matrix<R>, f0: &[f64]) -> Result<Vec<f64>> {
        let columns = self.along.len();
        let change = stored::product(cross, &self.coefficients(descent)?, columns)?;
        stored::shaped("outputs before training", f0, [cross.rows(), columns])?;
        Ok(f0.iter().zip(change).map(|(f, change)| f + change).collect())
    }

    /// U diag(weight(lambda)) U^T (Y - f_0(X)), `[n, k]`.
    fn weighted(&self, descent: Descent, weight: impl Fn(Descent, f64, f64) -> f64) -> Result<Vec<f64>> {
        descent.check()?;
        let weights: Vec<f64> = self.spectrum.values.iter().map(|&x| weight(descent, x, self.samples)).collect();
        let column = |along: &Vec<f64>| {
            let weighted: Vec<f64> = along.iter().zip(&weights).map(|(x, weight)| x * weight).collect();
            combined(&self.spectrum.vectors, &weighted)
        };
        let sums = stored::side_by_side(&self.along.par_iter().map(column).collect::<Vec<_>>());
        if sums.iter().all(|x| x.is_finite()) {
            return Ok(sums);
        }
        let bound = 2.0 * self.samples / self.spectrum.values[0];
        Err(Error::value(format!(
            "{descent:?} diverges beyond f64; gradient descent is stable for learning rates below {bound:e}"
        )))
    }
}

/// Sets eigenvalues that are zero to rounding to 0, and returns the tolerance.
///
/// # Errors
/// An eigenvalue is too far below 0 for rounding.
fn semi_definite<R: Real>(values: &mut [f64]) -> Result<f64> {
    let largest = values.iter().fold(0.0f64, |max, x| max.max(x.abs()));
    if let Some(below) = values.iter().find(|x| **x < -largest * R::EPSILON.f64().sqrt()) {
        return Err(Error::value(format!(
            "the kernel is not positive semi-definite: it has the eigenvalue {below:e}, and the largest magnitude is \
             {largest:e}"
        )));
    }
    let tolerance = largest * stored::rounding::<R>(values.len());
    values.iter_mut().filter(|x| **x <= tolerance).for_each(|x| *x = 0.0);
    Ok(tolerance)
}

fn counted(samples: usize) -> Result<f64> {
    match samples {
        0 => Err(Error::value("the loss is divided by 0 samples; pass the number of samples")),
        _ => Ok(samples as f64),
    }
}

/// 2 n / lambda_max: in the kernel regime, gradient descent on L = 1/(2n) sum over n samples of |f - y|^2 is stable for
/// learning rates below this bound. A step multiplies the residual along an eigenvector of K by 1 - eta lambda / n. Below the
/// bound its magnitude is less than 1 for every lambda above 0. At half of the bound the steepest direction is learnt in one
/// step. The bound is infinite for a kernel that is zero.
///
/// The bound depends on the loss. `samples` is the number that divides |f - y|^2 / 2. It is n for the loss above, also for
/// the full kernel with n C rows. It is n C if the loss is also a mean over outputs, which makes the bound C times as large.
/// It is 1 if the loss is a sum. For a loss without the factor 1/2, such as PyTorch's `MSELoss`, take half of the bound.
///
/// ```
/// use tangent_kernels::{Matrix, analysis::learning_rate_bound};
/// let kernel = Matrix::from_vec(1, 2, 2, vec![2.0f64, 1.0, 1.0, 2.0])?; // eigenvalues 3 and 1
/// assert!((learning_rate_bound(&kernel, 2)? - 4.0 / 3.0).abs() < 1e-9);
/// # Ok::<(), tangent_kernels::Error>(())
/// ```
///
/// # Errors
/// `samples` is 0. The kernel is not square or holds a number that is not finite. The eigenvalue iteration did not converge.
pub fn learning_rate_bound<R: Real>(kernel: &Matrix<R>, samples: usize) -> Result<f64> {
    let largest = largest_eigenvalue(kernel)?;
    Ok(2.0 * counted(samples)? / largest.max(0.0))
}
