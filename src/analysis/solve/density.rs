//! Spectral densities.

use super::krylov::Krylov;
use super::quadrature::{Probing, Rule, rule};
use super::random::uniform;
use crate::analysis::operator::Operator;
use crate::error::{Error, Result};

/// A curve extends this number of widths beyond the outermost nodes. About 1e-9 of a node's weight is farther away.
const REACH: f64 = 6.0;
/// A Ritz value within this number of roundings of a product counts as zero.
const ROUNDINGS: f64 = 64.0;

/// A spectral density: an estimate of the distribution of eigenvalues, as points with weights.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Density {
    /// The Ritz values of all probes, smallest first.
    pub nodes: Vec<f64>,
    /// The number of eigenvalues that each node represents. The sum is the size of the operator.
    pub weights: Vec<f64>,
}

/// The axis of a curve.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum Axis {
    /// The eigenvalue.
    Linear,
    /// The logarithm of the eigenvalue to base 10. Nodes below the floor, such as zeros, are moved to the floor.
    Log {
        /// The floor, above 0.
        floor: f64,
    },
}

/// A density on a grid.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Curve {
    /// Equally spaced positions on the axis: eigenvalues, or their logarithms to base 10.
    pub places: Vec<f64>,
    /// The number of eigenvalues per unit of the axis.
    pub values: Vec<f64>,
}

impl Curve {
    /// The integral over the axis by the trapezoidal rule. It approximates the size of the operator.
    pub fn integral(&self) -> f64 {
        let intervals = self.places.windows(2).zip(self.values.windows(2));
        intervals.map(|(x, y)| (x[1] - x[0]) * (y[0] + y[1]) / 2.0).sum()
    }
}

impl Density {
    /// The density as a sum of Gaussians of standard deviation `width`, one per node, at `points` positions. They extend from
    /// six widths below the first node to six widths above the last. `width` is in units of the axis: on [`Axis::Log`], in
    /// powers of ten. If the width is below the distance of the nodes, the curve shows single nodes, which are not single
    /// eigenvalues (Lin, Saad & Yang 2016, "Approximating spectral densities of large matrices").
    ///
    /// # Errors
    /// There are no nodes. The width or the floor is not above 0. The points are farther apart than the width, so that the
    /// integral would be wrong. The message gives the number of points needed.
    pub fn curve(&self, axis: Axis, width: f64, points: usize) -> Result<Curve> {
        if !width.is_finite() || width <= 0.0 {
            return Err(Error::value(format!("the width of the curve is {width}, but must be finite and above 0")));
        }
        let nodes: Vec<f64> = match axis {
            Axis::Linear => self.nodes.clone(),
            Axis::Log { floor } if floor.is_finite() && floor > 0.0 => {
                self.nodes.iter().map(|x| x.max(floor).log10()).collect()
            }
            Axis::Log { floor } => {
                return Err(Error::value(format!("the floor of the axis is {floor}, but must be finite and above 0")));
            }
        };
        let (Some(first), Some(last)) = (nodes.first(), nodes.last()) else {
            return Err(Error::shape("an operator of size 0 has no spectral density; pass at least one row"));
        };
        let length = last - first + 2.0 * REACH * width;
        let first = first - REACH * width;
        let needed = (length / width).ceil() + 1.0;
        if (points as f64) < needed || !needed.is_finite() {
            return Err(Error::value(format!(
                "{points} points are too few for a width of {width}; pass at least {needed}"
            )));
        }
        let step = length / (points - 1) as f64;
        let places: Vec<f64> = (0..points).map(|k| first + k as f64 * step).collect();
        let height = 1.0 / (width * (2.0 * std::f64::consts::PI).sqrt());
        let gaussian = |x: f64, node: f64, weight: f64| weight * (-((x - node) / width).powi(2) / 2.0).exp();
        let value = |&x: &f64| {
            height * nodes.iter().zip(&self.weights).map(|(&node, &weight)| gaussian(x, node, weight)).sum::<f64>()
        };
        let values = places.iter().map(value).collect();
        Ok(Curve { places, values })
    }
}

/// The spectral density of A by stochastic Lanczos quadrature. It is the mean over probes of the quadrature's nodes and
/// weights (Ghorbani, Krishnan & Xiao 2019, "An investigation into neural net optimization via Hessian eigenvalue density",
/// section 2; Ubaru, Chen & Saad 2017).
///
/// Integrals against a smooth function have a standard error that decreases as 1 / sqrt(probes), and a bias that decreases
/// with the steps. [`spectral_sum`](super::spectral_sum) gives one such integral with its error. In the middle of the
/// spectrum, details finer than about (largest - smallest) / steps are not resolved. Outermost eigenvalues are resolved
/// earlier.
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
/// The operator failed or returned numbers that are not finite. There are no steps, or fewer than 2 probes and more rows.
pub fn density(operator: &dyn Operator, probing: &Probing) -> Result<Density> {
    let size = operator.size();
    let steps = probing.lanczos_steps()?;
    let starts = probing.vectors(size)?;
    let rules = starts.map(|start| rule(operator, start, steps)).collect::<Result<Vec<_>>>()?;
    let scale = size as f64 / rules.len().max(1) as f64;
    let rule_points = |rule: &Rule| -> Vec<(f64, f64)> {
        rule.nodes.iter().zip(&rule.weights).map(|(x, w)| (*x, scale * w)).collect()
    };
    let mut points: Vec<(f64, f64)> = rules.iter().flat_map(rule_points).collect();
    points.sort_by(|a, b| a.0.total_cmp(&b.0));
    let (nodes, weights) = points.into_iter().unzip();
    Ok(Density { nodes, weights })
}

/// Bounds of a spectrum from inside.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct Condition {
    /// The largest Ritz value of A + lambda I. The largest eigenvalue is at least as large.
    pub largest: f64,
    /// The smallest Ritz value. The smallest eigenvalue is at most as large.
    pub smallest: f64,
    /// largest / smallest, a lower bound of the condition number. Infinite if the smallest Ritz value is zero to the precision
    /// of products.
    pub quotient: f64,
    /// The number of products with A.
    pub steps: usize,
}

/// Estimates the condition number of a positive semi-definite A + lambda I by at most `steps` steps of Lanczos' method
/// from a random vector (Golub & Van Loan 2013, section 10.1).
///
/// Ritz values are inside the spectrum, so the quotient is a lower bound to rounding. The largest eigenvalue is usually
/// accurate after some tens of steps. The smallest eigenvalue of a kernel is not: it is close to many others, and after few
/// steps its bound can be too large by orders of magnitude. With a ridge, the condition number is at most largest / lambda.
///
/// # Errors
/// The operator failed, returned numbers that are not finite, or has size 0. `lambda` is not finite or below 0. There are no
/// steps. A Ritz value is below zero, so A + lambda I is indefinite.
pub fn condition(operator: &dyn Operator, lambda: f64, steps: usize, seed: u64) -> Result<Condition> {
    let size = operator.size();
    if size == 0 {
        return Err(Error::shape("an operator of size 0 has no condition number; pass at least one row"));
    }
    if !lambda.is_finite() || lambda < 0.0 {
        return Err(Error::value(format!("lambda is {lambda}, but must be finite and 0 or more")));
    }
    if steps == 0 {
        return Err(Error::value("the condition number needs at least one step, but `steps` is 0"));
    }
    let mut krylov = Krylov::new(operator, &[], uniform(size, seed, 0));
    krylov.step()?;
    while krylov.len() < steps && !krylov.exhausted() {
        krylov.step()?;
    }
    let values = krylov.ritz()?.values;
    let largest = values[0] + lambda;
    let smallest = values[values.len() - 1] + lambda;
    let rounding = ROUNDINGS * operator.precision() * krylov.norm().max(lambda);
    if smallest < -rounding {
        return Err(Error::value(format!("A + lambda I is indefinite: it has the Ritz value {smallest}")));
    }
    let quotient = if smallest <= rounding { f64::INFINITY } else { largest / smallest };
    Ok(Condition { largest, smallest, quotient, steps: krylov.len() })
}
