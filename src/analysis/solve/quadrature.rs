//! Stochastic Lanczos quadrature.

use super::krylov::Krylov;
use super::random::{region, signs};
use crate::analysis::operator::Operator;
use crate::error::{Error, Result};

/// How random estimates are made: with how many probes, and for those that need it, how many steps of Lanczos' method
/// each.
#[derive(Clone, Copy, Debug)]
pub struct Probing {
    probes: usize,
    steps: usize,
    seed: u64,
}

impl Default for Probing {
    /// 30 probes of 50 steps, seed 0.
    fn default() -> Self {
        Probing { probes: 30, steps: 50, seed: 0 }
    }
}

impl Probing {
    /// Random vectors of signs. The standard error falls as 1 / sqrt(probes). Where there are as many as A has rows,
    /// unit vectors are taken in their place, which leave no error of that kind.
    #[must_use]
    pub fn probes(mut self, probes: usize) -> Self {
        self.probes = probes;
        self
    }

    /// Steps of Lanczos' method from each probe, where functions of A are estimated: as many products with A, and
    /// vectors held. The error of the quadrature, which more probes do not lower, falls with them exponentially for a
    /// smooth function.
    #[must_use]
    pub fn steps(mut self, steps: usize) -> Self {
        self.steps = steps;
        self
    }

    /// What probes are made from: the same seed gives the same estimate.
    #[must_use]
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// Whether unit vectors are taken, which leave nothing to chance.
    pub(super) fn exact(&self, size: usize) -> bool {
        self.probes >= size
    }

    /// The probes, of norm 1, one after the other.
    pub(super) fn vectors(self, size: usize) -> Result<impl Iterator<Item = Vec<f64>>> {
        let exact = self.exact(size);
        if !exact && self.probes < 2 {
            return Err(Error::value(format!("{} probes, where an error takes 2", self.probes)));
        }
        let count = if exact { size } else { self.probes };
        Ok((0..count).map(move |k| if exact { region(size, k) } else { signs(size, self.seed, k as u64) }))
    }

    pub(super) fn lanczos_steps(&self) -> Result<usize> {
        if self.steps == 0 { Err(Error::value("a quadrature of no steps")) } else { Ok(self.steps) }
    }
}

/// An estimate by random probes.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct Estimate {
    /// What was estimated.
    pub value: f64,
    /// One standard error of the value: of two thirds of all seeds the truth lies within it, of 95 in 100 within two.
    /// It is estimated from the same probes, to 1 / sqrt(2 probes) of itself, and falls as 1 / sqrt(probes). 0 where
    /// unit vectors were taken. A quadrature's error is not in it.
    pub error: f64,
    /// Vectors that were taken.
    pub probes: usize,
}

impl Estimate {
    /// The mean of what each probe gave.
    pub(super) fn mean(values: &[f64], exact: bool) -> Result<Estimate> {
        let probes = values.len();
        let value = values.iter().sum::<f64>() / probes.max(1) as f64;
        let squares: f64 = values.iter().map(|x| (x - value).powi(2)).sum();
        let error = if exact { 0.0 } else { (squares / (probes as f64 - 1.0) / probes as f64).sqrt() };
        if value.is_finite() && error.is_finite() {
            Ok(Estimate { value, error, probes })
        } else {
            Err(Error::value("an estimate is too large for f64, or of a function that has no value at an eigenvalue"))
        }
    }
}

/// Gauss' quadrature of v^T f(A) v, for a v of norm 1: sum of weight f(node), exact for polynomials of degree below
/// twice the steps (Golub & Meurant 2010, chapter 6).
pub(super) struct Rule {
    /// Ritz values, largest first.
    pub nodes: Vec<f64>,
    /// Squares of the first entries of their vectors; the sum is 1.
    pub weights: Vec<f64>,
    /// The largest |A v| met.
    pub norm: f64,
}

/// The rule that `steps` steps of Lanczos' method from `start` give.
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
/// The operator failed or gives numbers that are not finite; there are no steps, or fewer than 2 probes and more rows;
/// f is not finite at a Ritz value.
pub fn spectral_sum(operator: &dyn Operator, f: impl Fn(f64) -> f64, probing: &Probing) -> Result<Estimate> {
    spectral_sum_of(operator, probing, |rule| Ok(rule.nodes.iter().zip(&rule.weights).map(|(x, w)| w * f(*x)).sum()))
}

pub(super) fn spectral_sum_of(
    operator: &dyn Operator,
    probing: &Probing,
    of_rule: impl Fn(&Rule) -> Result<f64>,
) -> Result<Estimate> {
    let (size, steps) = (operator.size(), probing.lanczos_steps()?);
    let value = |start| Ok(size as f64 * of_rule(&rule(operator, start, steps)?)?);
    let values = probing.vectors(size)?.map(value).collect::<Result<Vec<f64>>>()?;
    Estimate::mean(&values, probing.exact(size))
}
