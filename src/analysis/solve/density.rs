//! How eigenvalues are spread.

use super::krylov::Krylov;
use super::quadrature::{Probing, rule};
use super::random::uniform;
use crate::analysis::operator::Operator;
use crate::error::{Error, Result};

/// A curve reaches this many widths beyond the outermost nodes: 1e-9 of a node's weight is farther out.
const REACH: f64 = 6.0;
/// A Ritz value this many roundings of a product from zero is one of zero.
const ROUNDINGS: f64 = 64.0;

/// A spectral density: what probes saw of the eigenvalues, as points with weights.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Density {
    /// Ritz values of all probes, smallest first.
    pub nodes: Vec<f64>,
    /// How many eigenvalues each stands for; the sum is the size of the operator.
    pub weights: Vec<f64>,
}

/// What a curve is drawn over.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum Axis {
    /// The eigenvalue.
    Linear,
    /// Its logarithm to base 10. Nodes below the floor, such as zeros, are put there.
    Log {
        /// Above 0.
        floor: f64,
    },
}

/// A density on a grid.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Curve {
    /// Equally spaced places on the axis: eigenvalues, or their logarithms to base 10.
    pub places: Vec<f64>,
    /// Eigenvalues for a unit of the axis.
    pub values: Vec<f64>,
}

impl Curve {
    /// The integral over the axis, by the trapezoidal rule: the size of the operator.
    pub fn integral(&self) -> f64 {
        let pieces = self.places.windows(2).zip(self.values.windows(2));
        pieces.map(|(x, y)| (x[1] - x[0]) * (y[0] + y[1]) / 2.0).sum()
    }
}

impl Density {
    /// The density with every node smeared to a Gaussian of standard deviation `width`, at `points` places from one end
    /// of the nodes to the other and six widths more. `width` is in units of the axis: on [`Axis::Log`], of powers of
    /// ten. Gaussians of a width below the distance between nodes show nodes, which are not single eigenvalues (Lin,
    /// Saad & Yang 2016, "Approximating spectral densities of large matrices").
    ///
    /// # Errors
    /// There are no nodes; the width or the floor is no number above 0; the points are farther apart than the width, so
    /// that the integral would not be the size: the message says how many are needed.
    pub fn curve(&self, axis: Axis, width: f64, points: usize) -> Result<Curve> {
        if !width.is_finite() || width <= 0.0 {
            return Err(Error::value(format!("a width of {width}, where more than 0 is needed")));
        }
        let nodes: Vec<f64> = match axis {
            Axis::Linear => self.nodes.clone(),
            Axis::Log { floor } if floor.is_finite() && floor > 0.0 => {
                self.nodes.iter().map(|x| x.max(floor).log10()).collect()
            }
            Axis::Log { floor } => {
                return Err(Error::value(format!("a floor of {floor}, where more than 0 is needed")));
            }
        };
        let (Some(first), Some(last)) = (nodes.first(), nodes.last()) else {
            return Err(Error::shape("an operator of size 0 has no spectral density"));
        };
        let (first, length) = (first - REACH * width, last - first + 2.0 * REACH * width);
        let needed = (length / width).ceil() + 1.0;
        if (points as f64) < needed || !needed.is_finite() {
            return Err(Error::value(format!(
                "{points} points are too few for a width of {width}: {needed} are needed"
            )));
        }
        let step = length / (points - 1) as f64;
        let places: Vec<f64> = (0..points).map(|k| first + k as f64 * step).collect();
        let region = 1.0 / (width * (2.0 * std::f64::consts::PI).sqrt());
        let smeared = |x: &f64| {
            let of_node = |(node, weight): (&f64, &f64)| weight * (-((x - node) / width).powi(2) / 2.0).exp();
            region * nodes.iter().zip(&self.weights).map(of_node).sum::<f64>()
        };
        let values = places.iter().map(smeared).collect();
        Ok(Curve { places, values })
    }
}

/// The spectral density of A by stochastic Lanczos quadrature: the mean over probes of the quadrature's nodes and
/// weights (Ghorbani, Krishnan & Xiao 2019, "An investigation into neural net optimization via Hessian eigenvalue
/// density", section 2; Ubaru, Chen & Saad 2017).
///
/// Integrals against a smooth function have a standard error that falls as 1 / sqrt(probes), and a bias that falls with
/// steps; for one function with its error see [`spectral_sum`](super::spectral_sum). Details finer than some
/// (largest - smallest) / steps are not resolved in the middle; outermost eigenvalues stand out sooner.
///
/// ```
/// use tangent_kernels::Matrix;
/// use tangent_kernels::analysis::operator::Dense;
/// use tangent_kernels::analysis::solve::{Axis, Probing, density};
/// let kernel = Matrix::from_vec(1, 2, 2, vec![2.0f64, 1.0, 1.0, 2.0])?; // eigenvalues 3 and 1
/// let curve = density(&Dense::new(&kernel)?, &Probing::default())?.curve(Axis::Linear, 0.1, 200)?;
/// assert!((curve.integral() - 2.0).abs() < 1e-6);
/// # Ok::<(), tangent_kernels::Error>(())
/// ```
///
/// # Errors
/// The operator failed or gives numbers that are not finite; there are no steps, or fewer than 2 probes and more rows.
pub fn density(operator: &dyn Operator, probing: &Probing) -> Result<Density> {
    let (size, steps) = (operator.size(), probing.lanczos_steps()?);
    let starts = probing.vectors(size)?;
    let rules = starts.map(|start| rule(operator, start, steps)).collect::<Result<Vec<_>>>()?;
    let share = size as f64 / rules.len().max(1) as f64;
    let of_rule = |rule: &super::quadrature::Rule| -> Vec<(f64, f64)> {
        rule.nodes.iter().zip(&rule.weights).map(|(x, w)| (*x, share * w)).collect()
    };
    let mut points: Vec<(f64, f64)> = rules.iter().flat_map(of_rule).collect();
    points.sort_by(|a, b| a.0.total_cmp(&b.0));
    let (nodes, weights) = points.into_iter().unzip();
    Ok(Density { nodes, weights })
}

/// The ends of a spectrum, from inside.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct Condition {
    /// The largest Ritz value of A + lambda I: the largest eigenvalue is no smaller.
    pub largest: f64,
    /// The smallest Ritz value: the smallest eigenvalue is no larger.
    pub smallest: f64,
    /// largest / smallest: the condition number is no smaller. Infinite where the smallest is zero to the precision of
    /// products.
    pub quotient: f64,
    /// Products with A that were taken.
    pub steps: usize,
}

/// Estimates the condition number of a positive semi-definite A + lambda I by at most `steps` steps of Lanczos' method
/// from a random vector (Golub & Van Loan 2013, section 10.1).
///
/// Ritz values lie inside of the spectrum, so the quotient is a lower bound, to rounding. The largest eigenvalue is
/// mostly good after some tens of steps. The smallest of a kernel is not: it lies close to many others, and after few
/// steps its bound may be orders of magnitude too large. With a ridge, lambda is the bound from the other side: the
/// condition is at most largest / lambda.
///
/// # Errors
/// The operator failed, gives numbers that are not finite, or is of size 0; `lambda` is no number above or equal to 0;
/// there are no steps; a Ritz value is below zero, so that A + lambda I is indefinite.
pub fn condition(operator: &dyn Operator, lambda: f64, steps: usize, seed: u64) -> Result<Condition> {
    let size = operator.size();
    if size == 0 {
        return Err(Error::shape("an operator of size 0 has no condition number"));
    }
    if !lambda.is_finite() || lambda < 0.0 {
        return Err(Error::value(format!("lambda is {lambda}, where 0 or more is needed")));
    }
    if steps == 0 {
        return Err(Error::value("a condition number in no steps"));
    }
    let mut krylov = Krylov::new(operator, &[], uniform(size, seed, 0));
    krylov.step()?;
    while krylov.len() < steps && !krylov.exhausted() {
        krylov.step()?;
    }
    let values = krylov.ritz()?.values;
    let (largest, smallest) = (values[0] + lambda, values[values.len() - 1] + lambda);
    let rounding = ROUNDINGS * operator.precision() * krylov.norm().max(lambda);
    if smallest < -rounding {
        return Err(Error::value(format!("A + lambda I is indefinite: it has a Ritz value of {smallest}")));
    }
    let quotient = if smallest <= rounding { f64::INFINITY } else { largest / smallest };
    Ok(Condition { largest, smallest, quotient, steps: krylov.len() })
}
