//! Traces, determinants and ranks by random probes.

use super::quadrature::{Estimate, Probing, Rule, spectral_sum_of};
use super::vectors::{dot, product};
use crate::analysis::operator::Operator;
use crate::error::{Error, Result};

/// A Ritz value this many roundings of a product below zero is one of zero.
const ROUNDINGS: f64 = 64.0;

/// tr A, the mean of z^T A z over random vectors of signs (Hutchinson 1990, "A stochastic estimator of the trace of the
/// influence matrix"): one product with A each.
///
/// The variance for a probe is 2 (|A|_F^2 - sum A_ii^2): with p probes the error is about sqrt(2 / p) |A|_F, which for
/// a kernel with many eigenvalues of one size is small beside the trace, and for one of rank one is not.
///
/// ```
/// use tangent_kernels::Matrix;
/// use tangent_kernels::analysis::operator::Dense;
/// use tangent_kernels::analysis::solve::{Probing, trace};
/// let kernel = Matrix::from_vec(1, 2, 2, vec![2.0f64, 1.0, 1.0, 2.0])?;
/// assert_eq!(trace(&Dense::new(&kernel)?, &Probing::default())?.value, 4.0); // exact: as many probes as rows
/// # Ok::<(), tangent_kernels::Error>(())
/// ```
///
/// # Errors
/// The operator failed or gives numbers that are not finite; there are fewer than 2 probes and more rows.
pub fn trace(operator: &dyn Operator, probing: &Probing) -> Result<Estimate> {
    let size = operator.size();
    let value = |z: Vec<f64>| Ok(size as f64 * dot(&z, &product(operator, &z)?));
    let values = probing.vectors(size)?.map(value).collect::<Result<Vec<f64>>>()?;
    Estimate::mean(&values, probing.exact(size))
}

/// (tr A)^2 / |A|_F^2, between 1 and the size for a positive semi-definite A that is not 0, and 0 for 0: trace and norm
/// are both the means of what probes give, z^T A z and |A z|^2, one product with A each.
///
/// The error is that of the quotient to first order in the errors of the two. Beside it the value has a bias of some
/// (error of the trace / trace)^2 of itself, which falls as 1 / probes.
///
/// [`effective_rank`](crate::analysis::effective_rank) is the same of a stored kernel.
///
/// # Errors
/// As of [`trace`].
pub fn effective_rank(operator: &dyn Operator, probing: &Probing) -> Result<Estimate> {
    let size = operator.size();
    let parts = |z: Vec<f64>| {
        let az = product(operator, &z)?;
        Ok((size as f64 * dot(&z, &az), size as f64 * dot(&az, &az)))
    };
    let (traces, squares): (Vec<f64>, Vec<f64>) =
        probing.vectors(size)?.map(parts).collect::<Result<Vec<_>>>()?.into_iter().unzip();
    let exact = probing.exact(size);
    let (trace, square) = (Estimate::mean(&traces, exact)?.value, Estimate::mean(&squares, exact)?.value);
    if square == 0.0 {
        return Ok(Estimate { value: 0.0, error: 0.0, probes: traces.len() });
    }
    let (relative, rank) = (trace / square, trace / square * trace);
    // The quotient's derivative along each probe's own trace and square.
    let moved = |(t, s): (&f64, &f64)| rank + 2.0 * relative * (t - trace) - rank * (s / square - 1.0);
    let linear: Vec<f64> = traces.iter().zip(&squares).map(moved).collect();
    Ok(Estimate { value: rank, ..Estimate::mean(&linear, exact)? })
}

/// log det(A + lambda I), the sum of log(x + lambda) over the eigenvalues x of a positive semi-definite A, by
/// stochastic Lanczos quadrature (Ubaru, Chen & Saad 2017, whose first use it is). It takes probes x steps products
/// with A.
///
/// [`Estimate::error`] is that of the probes. The quadrature's own error falls about as ((sqrt(c) - 1) / (sqrt(c) +
/// 1))^(2 steps), for a condition number c of A + lambda I: of a lambda that is small beside the gap to the smallest
/// eigenvalues it needs more steps. To see whether it matters, double them.
///
/// A Ritz value below zero by no more than roundings of products counts as zero, so that a singular kernel with a small
/// lambda has its determinant; where lambda is itself as small as those roundings, digits are lost.
///
/// # Errors
/// As of [`trace`]; `lambda` is not above 0; there are no steps; A + lambda I is not positive definite.
pub fn log_det(operator: &dyn Operator, lambda: f64, probing: &Probing) -> Result<Estimate> {
    if !lambda.is_finite() || lambda <= 0.0 {
        return Err(Error::value(format!("lambda is {lambda}, where more than 0 is needed")));
    }
    spectral_sum_of(operator, probing, |rule| {
        let log = |(x, w): (&f64, &f64)| Ok(w * at_least_zero(*x, lambda, rule, operator)?.ln());
        rule.nodes.iter().zip(&rule.weights).map(log).sum()
    })
}

/// x + lambda, which is above zero.
fn at_least_zero(x: f64, lambda: f64, rule: &Rule, operator: &dyn Operator) -> Result<f64> {
    let rounding = ROUNDINGS * operator.precision() * rule.norm;
    let sum = if x < 0.0 && x >= -rounding { lambda } else { x + lambda };
    if sum > 0.0 {
        Ok(sum)
    } else {
        Err(Error::value(format!(
            "A + lambda I is not positive definite: A has a Ritz value of {x}, lambda is {lambda}"
        )))
    }
}
