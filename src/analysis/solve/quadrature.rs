//! Stochastic Lanczos quadrature.

use super::krylov::Krylov;
use super::random::{signs, unit_vector};
use crate::analysis::operator::Operator;
use crate::error::{Error, Result};

/// Options of random estimates: the number of probes and, for functions of A, the number of Lanczos steps per probe.
#[derive(Clone, Copy, Debug)]
pub struct Probing {
    probes: usize,
    steps: usize,
    seed: u64,
}

impl Default for Probing {
    /// 30 probes of 50 steps with seed 0.
    fn default() -> Self {
        Probing { probes: 30, steps: 50, seed: 0 }
    }
}

impl Probing {
    /// Sets the number of probes, which are random vectors of signs. The standard error decreases as 1 / sqrt(probes). If
    /// there are at least as many probes as rows, unit vectors are used instead, without a random error.
    #[must_use]
    pub fn probes(mut self, probes: usize) -> Self {
        self.probes = probes;
        self
    }

    /// Sets the number of Lanczos steps per probe for functions of A. It is the number of products with A and of stored
    /// vectors. For a smooth function, the error of the quadrature decreases exponentially with the steps. More probes do
    /// not reduce it.
    #[must_use]
    pub fn steps(mut self, steps: usize) -> Self {
        self.steps = steps;
        self
    }

    /// Sets the seed of the probes. Equal seeds give equal estimates.
    #[must_use]
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// Whether unit vectors are used, which give results without a random error.
    pub(super) fn exact(&self, size: usize) -> bool {
        self.probes >= size
    }

    /// The probes, of norm 1.
    pub(super) fn vectors(self, size: usize) -> Result<impl Iterator<Item = Vec<f64>>> {
        let exact = self.exact(size);
        if !exact && self.probes < 2 {
            let probes = self.probes;
            return Err(Error::value(format!(
                "{probes} probes are too few: an estimate with its error needs at least 2"
            )));
        }
        let count = if exact { size } else { self.probes };
        Ok((0..count).map(move |k| if exact { unit_vector(size, k) } else { signs(size, self.seed, k as u64) }))
    }

    pub(super) fn lanczos_steps(&self) -> Result<usize> {
        if self.steps == 0 {
            return Err(Error::value("a quadrature needs at least one Lanczos step, but `steps` is 0"));
        }
        Ok(self.steps)
    }
}

/// An estimate from random probes.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct Estimate {
    /// The estimated value.
    pub value: f64,
    /// One standard error of the value. The true value is within one standard error for about two thirds of all seeds, and
    /// within two for 95 of 100. The error is itself an estimate with a relative error of 1 / sqrt(2 probes), and decreases
    /// as 1 / sqrt(probes). It is 0 for unit vectors. The error of the quadrature is not included.
    pub error: f64,
    /// The number of probes.
    pub probes: usize,
}

impl Estimate {
    /// The mean of the values of all probes.
    pub(super) fn mean(values: &[f64], exact: bool) -> Result<Estimate> {
        let probes = values.len();
        let value = values.iter().sum::<f64>() / probes.max(1) as f64;
        let squares: f64 = values.iter().map(|x| (x - value).powi(2)).sum();
        let error = if exact { 0.0 } else { (squares / (probes as f64 - 1.0) / probes as f64).sqrt() };
        if value.is_finite() && error.is_finite() {
            Ok(Estimate { value, error, probes })
        } else {
            Err(Error::value("the estimate is too large for f64, or the function is not finite at an eigenvalue"))
        }
    }
}

/// The Gauss quadrature of v^T f(A) v for v of norm 1: the sum of weight f(node). It is exact for polynomials of degree below
/// twice the steps (Golub & Meurant 2010, chapter 6).
pub(super) struct Rule {
    /// The Ritz values, largest first.
    pub nodes: Vec<f64>,
    /// The squares of the first entries of their vectors. Their sum is 1.
    pub weights: Vec<f64>,
    /// The largest |A v| seen.
    pub norm: f64,
}

/// The rule from `steps` Lanczos steps that begin with `start`.
pub(super) fn rule(operator: &dyn Operator, start: Vec<f64>, steps: usize) -> Result<Rule> {
    let mut krylov = Krylov::new(operator, &[], start);
    krylov.step()?;
    while krylov.len() < steps && !krylov.exhausted() {
        krylov.step()?;
    }
    let ritz = krylov.ritz()?;
    let weights = ritz.vectors.iter().map(|s| s[0] * s[0]).collect();
    Ok(Rule { nodes: ritz.values, weights, norm: krylov.norm() })
}

/// tr f(A), the sum of f over all eigenvalues, by stochastic Lanczos quadrature (Ubaru, Chen & Saad 2017, "Fast
/// estimation of tr(f(A)) via stochastic Lanczos quadrature", algorithm 1).
///
/// ```
/// use tangent_kernels::Matrix;
/// use tangent_kernels::analysis::operator::Dense;
/// use tangent_kernels::analysis::solve::{Probing, spectral_sum};
/// let kernel = Matrix::from_vec(1, 2, 2, vec![2.0f64, 1.0, 1.0, 2.0])?; // eigenvalues 3 and 1
/// let sum = spectral_sum(&Dense::new(&kernel)?, |x| x * x, &Probing::default())?;
/// assert!((sum.value - 10.0).abs() < 1e-12 && sum.error == 0.0);
/// # Ok::<(), tangent_kernels::Error>(())
/// ```
///
/// # Errors
/// The operator failed or returned numbers that are not finite. There are no steps, or fewer than 2 probes and more rows. f
/// is not finite at a Ritz value.
pub fn spectral_sum(operator: &dyn Operator, f: impl Fn(f64) -> f64, probing: &Probing) -> Result<Estimate> {
    estimated_sum(operator, probing, |rule| Ok(rule.nodes.iter().zip(&rule.weights).map(|(x, w)| w * f(*x)).sum()))
}

/// The mean over probes of `integral` for the quadrature rule of each probe.
pub(super) fn estimated_sum(
    operator: &dyn Operator,
    probing: &Probing,
    integral: impl Fn(&Rule) -> Result<f64>,
) -> Result<Estimate> {
    let size = operator.size();
    let steps = probing.lanczos_steps()?;
    let value = |start| Ok(size as f64 * integral(&rule(operator, start, steps)?)?);
    let values = probing.vectors(size)?.map(value).collect::<Result<Vec<f64>>>()?;
    Estimate::mean(&values, probing.exact(size))
}
