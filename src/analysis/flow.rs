//! What gradient descent makes of a network in the kernel regime, at any time.

use std::fmt;

use rayon::prelude::*;

use super::solve::small::{Spectrum, spectrum};
use super::solve::vectors::{combined, dot};
use super::{largest_eigenvalue, stored};
use crate::error::{Error, Result};
use crate::kernel::Matrix;
use crate::real::Real;

/// How far a network is trained on the loss L = 1/(2n) sum over the n samples of |f - y|^2. A step is a time of 1: where the
/// learning rate is small beside [`learning_rate_bound`], the flow up to t = s is what s steps make.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum Descent {
    /// By gradient flow, d theta / dt = -rate grad L, up to `time`, which may be infinite.
    Flow {
        /// eta
        rate: f64,
        /// t
        time: f64,
    },
    /// By gradient descent, theta -= rate grad L, `steps` times.
    Steps {
        /// eta
        rate: f64,
        /// The number of steps.
        steps: u64,
    },
}

impl Descent {
    fn check(self) -> Result<()> {
        let (Descent::Flow { rate, .. } | Descent::Steps { rate, .. }) = self;
        if !rate.is_finite() || rate <= 0.0 {
            return Err(Error::value(format!("the learning rate is {rate}, where more than 0 is needed")));
        }
        match self {
            Descent::Flow { time, .. } if time.is_nan() || time < 0.0 => {
                Err(Error::value(format!("the time is {time}, where 0 or more is needed")))
            }
            _ => Ok(()),
        }
    }

    /// eta t / n: what phi is where there is no curvature.
    fn reach(self, samples: f64) -> f64 {
        match self {
            Descent::Flow { rate, time } => rate / samples * time,
            Descent::Steps { rate, steps } => rate / samples * steps as f64,
        }
    }

    /// The share of a residual along an eigenvector of K that is learnt by then.
    fn learnt(self, lambda: f64, samples: f64) -> f64 {
        match self {
            _ if lambda == 0.0 => 0.0, // and not 0 times infinity
            Descent::Flow { .. } => -Real::exp_m1(-lambda * self.reach(samples)),
            Descent::Steps { rate, steps } => descended(rate / samples * lambda, steps),
        }
    }

    /// The share learnt over lambda, and its limit as lambda falls to 0; at infinite time 0 there, which leaves out what
    /// cannot be learnt.
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

/// 1 - (1 - x)^steps, accurate where x is small.
fn descended(x: f64, steps: u64) -> f64 {
    if x < 1.0 {
        return -Real::exp_m1(steps as f64 * Real::ln_1p(-x));
    }
    let left = (x - 1.0).powf(steps as f64);
    if steps.is_multiple_of(2) { 1.0 - left } else { 1.0 + left }
}

/// What a network in the kernel regime says after any time of training on the squared error (Jacot, Gabriel and Hongler 2018;
/// Lee et al. 2019, "Wide neural networks of any depth evolve as linear models under gradient descent"). Such a network is
/// its linearisation around its first parameters, so its kernel K stays what it was. With outputs f_0 before training, on the
/// loss L = 1/(2n) sum over the n samples of |f - y|^2 (the mean of
/// [`Loss::SquaredError`](crate::Loss::SquaredError)) and learning rate eta,
///
/// f_t(X) = f_0(X) + (I - e^(-eta K t / n)) (Y - f_0(X)),
///
/// f_t(Z) = f_0(Z) + K(Z, X) phi_t(K) (Y - f_0(X)), phi_t(lambda) = (1 - e^(-eta lambda t / n)) / lambda,
///
/// and after s steps of gradient descent the same with (1 - eta lambda / n)^s for the exponential: see [`Descent`]. K is
/// decomposed once, as U diag(lambda) U^T; any time then takes some n^2 k multiplications.
///
/// phi_t(0) is its limit, eta t / n. An eigenvalue counts as 0 if it is no more than [`rank_tolerance`](Self::rank_tolerance),
/// and so does one below 0. What lies along it is never learnt: at infinite time it is left out, and the coefficients are the
/// pseudo-inverse's, the solution of the least norm.
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
    /// Eigenvalues that are 0 to rounding are 0.
    spectrum: Spectrum,
    tolerance: f64,
    samples: f64,
    /// f_0(X), \[n, k\].
    before: Vec<f64>,
    /// U^T (Y - f_0(X)), target by target.
    along: Vec<Vec<f64>>,
}

/// Its sizes, not its eigenvectors.
impl fmt::Debug for GradientFlow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "GradientFlow of {} rows with {} targets each", self.eigenvalues().len(), self.along.len())
    }
}

impl GradientFlow {
    /// From a stored kernel K(X, X), targets Y and the outputs f_0(X) before training, both row-major with k numbers for each of
    /// the kernel's rows. Of a kernel of one output, or of the trace's mean, a row is a sample with k outputs; of the full kernel
    /// of all outputs, rows n C + c, \[n, C\] are n C rows and k is 1.
    ///
    /// `samples` is the n that the loss is divided by: the number of samples, whatever the rows are. It stands for any other
    /// normalisation too: n C where the loss is the mean over outputs as well (as neural-tangents has it), 1 where it is the sum.
    ///
    /// n^3 work on one thread and n^2 numbers: faer's dense solver takes seconds for 2,000 rows.
    ///
    /// # Errors
    /// The kernel has several blocks, is not square or symmetric, or holds a number that is not finite; targets or outputs that
    /// are not k finite numbers for each row; `samples` is 0. The kernel has an eigenvalue so far below 0 that rounding
    /// cannot have made it; the eigenvalues do not converge.
    pub fn new<R: Real>(kernel: &Matrix<R>, samples: usize, targets: &[f64], f0: &[f64]) -> Result<Self> {
        let rows = stored::symmetric(kernel)?;
        let columns = stored::columns("targets", targets, rows)?;
        stored::shaped("outputs before training", f0, [rows, columns])?;
        let samples = counted(samples)?;
        let mut spectrum = spectrum(rows, |row, col| kernel[(row, col)].f64())?;
        let tolerance = semi_definite::<R>(&mut spectrum.values)?;
        let rest: Vec<f64> = targets.iter().zip(f0).map(|(y, f)| y - f).collect();
        let along = |column| {
            let rest = stored::column(&rest, columns, column);
            spectrum.vectors.par_iter().map(|vector| dot(vector, &rest)).collect()
        };
        let along = (0..columns).map(along).collect();
        Ok(GradientFlow { spectrum, tolerance, samples, before: f0.to_vec(), along })
    }

    /// The eigenvalues of K, the largest first; those that are 0 to rounding are 0.
    pub fn eigenvalues(&self) -> &[f64] {
        &self.spectrum.values
    }

    /// Up to where an eigenvalue counts as 0: the largest one times n times the precision of f64, n being the rows, or times
    /// the precision of the kernel's numbers, whichever is larger.
    pub fn rank_tolerance(&self) -> f64 {
        self.tolerance
    }

    /// f_t(X), \[n, k\] row-major: at t = 0 f_0(X), at infinite time the targets, but for what lies along eigenvalues 0.
    ///
    /// # Errors
    /// A learning rate that is not above 0, a time below 0; steps so large that they diverge beyond f64
    /// ([`learning_rate_bound`]).
    pub fn train(&self, descent: Descent) -> Result<Vec<f64>> {
        let learnt = self.weighted(descent, Descent::learnt)?;
        Ok(self.before.iter().zip(learnt).map(|(f, learnt)| f + learnt).collect())
    }

    /// phi_t(K) (Y - f_0(X)), \[n, k\] row-major. f_t(Z) - f_0(Z) is K(Z, X) times these, which
    /// [`MatVec`](crate::kernel::sink::MatVec) computes without storing K(Z, X), as [`Ridge`](super::Ridge) shows.
    ///
    /// # Errors
    /// As [`train`](Self::train).
    pub fn coefficients(&self, descent: Descent) -> Result<Vec<f64>> {
        self.weighted(descent, Descent::phi)
    }

    /// f_t(Z), \[m, k\] row-major, from the stored K(Z, X), \[m, n\], whose rows are the new samples', and their outputs
    /// f_0(Z) before training, \[m, k\].
    ///
    /// # Errors
    /// As [`train`](Self::train); the kernel has several blocks, a number of columns other than n, or a number that is not
    /// finite; outputs that are not k finite numbers for each of its rows.
    pub fn predict<R: Real>(&self, descent: Descent, cross: &Matrix<R>, f0: &[f64]) -> Result<Vec<f64>> {
        let columns = self.along.len();
        let moved = stored::product(cross, &self.coefficients(descent)?, columns)?;
        stored::shaped("outputs before training", f0, [cross.rows(), columns])?;
        Ok(f0.iter().zip(moved).map(|(f, moved)| f + moved).collect())
    }

    /// U diag(weight(lambda)) U^T (Y - f_0(X)), \[n, k\].
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
            "{descent:?} diverges beyond f64: gradient descent is stable for rates below {bound:e}"
        )))
    }
}

/// Sets to 0 what rounding may have made of it, and gives how large that is.
///
/// # Errors
/// A value is too far below 0 for that.
fn semi_definite<R: Real>(values: &mut [f64]) -> Result<f64> {
    let largest = values.iter().fold(0.0f64, |max, x| max.max(x.abs()));
    if let Some(below) = values.iter().find(|x| **x < -largest * R::EPSILON.f64().sqrt()) {
        return Err(Error::value(format!(
            "the kernel is not positive semi-definite: it has an eigenvalue of {below:e}, beside a largest magnitude of \
             {largest:e}"
        )));
    }
    let tolerance = largest * stored::rounding::<R>(values.len());
    values.iter_mut().filter(|x| **x <= tolerance).for_each(|x| *x = 0.0);
    Ok(tolerance)
}

fn counted(samples: usize) -> Result<f64> {
    match samples {
        0 => Err(Error::value("a loss divided by 0 samples")),
        _ => Ok(samples as f64),
    }
}

/// 2 n / lambda_max: gradient descent on L = 1/(2n) sum over n samples of |f - y|^2 is stable for learning rates below it, in
/// the kernel regime. A step multiplies the residual along an eigenvector of K by 1 - eta lambda / n, which is less than 1 in
/// magnitude for every lambda above 0 if eta is less than this. At half of it the steepest direction is learnt in one step.
/// Infinite for a kernel that is zero.
///
/// The bound goes with the loss. `samples` is what |f - y|^2 / 2 is divided by: the n samples of the loss above, also where the
/// kernel is the full one, of n C rows; n C where the loss is the mean over outputs too, which makes the bound C times as
/// large; 1 where it is the sum. Of a loss without the factor 1/2, such as PyTorch's `MSELoss`, take half of the bound.
///
/// ```
/// use tangent_kernels::{Matrix, analysis::learning_rate_bound};
/// let kernel = Matrix::from_vec(1, 2, 2, vec![2.0f64, 1.0, 1.0, 2.0])?; // eigenvalues 3 and 1
/// assert!((learning_rate_bound(&kernel, 2)? - 4.0 / 3.0).abs() < 1e-9);
/// # Ok::<(), tangent_kernels::Error>(())
/// ```
///
/// # Errors
/// `samples` is 0, and all that [`largest_eigenvalue`] refuses.
pub fn learning_rate_bound<R: Real>(kernel: &Matrix<R>, samples: usize) -> Result<f64> {
    let largest = largest_eigenvalue(kernel)?;
    Ok(2.0 * counted(samples)? / largest.max(0.0))
}
