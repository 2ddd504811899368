//! Estimates of traces, determinants and ranks from random probes.

use super::quadrature::{Estimate, Probing, Rule, estimated_sum};
use super::vectors::{dot, product};
use crate::analysis::operator::Operator;
use crate::error::{Error, Result};

/// A negative Ritz value within this number of roundings of a product counts as zero.
const ROUNDINGS: f64 = 64.0;

/// tr A: the mean of z^T A z over random vectors of signs, with one product with A each (Hutchinson 1990, "A stochastic
/// estimator of the trace of the influence matrix").
///
/// The variance of one probe is 2 (|A|_F^2 - sum A_ii^2). With p probes the error is about sqrt(2 / p) |A|_F. Compared with
/// the trace it is small for a kernel with many eigenvalues of similar size, but not for a kernel of rank one.
///
/// ```
/// use tangent_kernels::Matrix;
/// use tangent_kernels::analysis::operator::Dense;
/// use tangent_kernels::analysis::solve::{Probing, trace};
/// let kernel = Matrix::from_vec(1, 2, 2, vec![2.0f64, 1.0, 1.0, 2.0])?;
/// assert_eq!(trace(&Dense::new(&kernel)?, &Probing::default())?.value, 4.0); // exact, with as many probes as rows
/// # Ok::<(), tangent_kernels::Error>(())
/// ```
///
/// # Errors
/// The operator failed or returned numbers that are not finite. There are fewer than 2 probes and more rows.
pub fn trace(operator: &dyn Operator, probing: &Probing) -> Result<Estimate> {
    let size = operator.size();
    let value = |z: Vec<f64>| Ok(size as f64 * dot(&z, &product(operator, &z)?));
    let values = probing.vectors(size)?.map(value).collect::<Result<Vec<f64>>>()?;
    Estimate::mean(&values, probing.exact(size))
}

/// An estimate of (tr A)^2 / |A|_F^2. For a positive semi-definite A it is between 1 and the size, or 0 if A is 0. Trace and
/// norm are the means of z^T A z and |A z|^2 over probes, with one product with A each.
///
/// The error is that of the quotient, to first order in the errors of both means. The value also has a relative bias of about
/// (error of the trace / trace)^2, which decreases as 1 / probes.
///
/// [`effective_rank`](crate::analysis::effective_rank) is the exact value for a stored kernel.
///
/// # Errors
/// As for [`trace`].
pub fn effective_rank_estimate(operator: &dyn Operator, probing: &Probing) -> Result<Estimate> {
    let size = operator.size();
    let parts = |z: Vec<f64>| {
        let az = product(operator, &z)?;
        Ok((size as f64 * dot(&z, &az), size as f64 * dot(&az, &az)))
    };
    let (traces, squares): (Vec<f64>, Vec<f64>) =
        probing.vectors(size)?.map(parts).collect::<Result<Vec<_>>>()?.into_iter().unzip();
    let exact = probing.exact(size);
    let trace = Estimate::mean(&traces, exact)?.value;
    let square = Estimate::mean(&squares, exact)?.value;
    if square == 0.0 {
        return Ok(Estimate { value: 0.0, error: 0.0, probes: traces.len() });
    }
    let relative = trace / square;
    let rank = trace / square * trace;
    // The derivative of the quotient along each probe's trace and square.
    let linearised = |(t, s): (&f64, &f64)| rank + 2.0 * relative * (t - trace) - rank * (s / square - 1.0);
    let linearised: Vec<f64> = traces.iter().zip(&squares).map(linearised).collect();
    Ok(Estimate { value: rank, ..Estimate::mean(&linearised, exact)? })
}

/// log det(A + lambda I), the sum of log(x + lambda) over the eigenvalues x of a positive semi-definite A, by stochastic
/// Lanczos quadrature (Ubaru, Chen & Saad 2017). It takes probes x steps products with A.
///
/// [`Estimate::error`] is the error of the probes. The error of the quadrature decreases about as
/// ((sqrt(c) - 1) / (sqrt(c) + 1))^(2 steps) for a condition number c of A + lambda I. A lambda that is small compared with
/// the gap to the smallest eigenvalues needs more steps. Double the steps to see whether the error matters.
///
/// Negative Ritz values within the rounding of products count as zero, so that a singular kernel with a small lambda has a
/// determinant. If lambda is as small as this rounding, digits are lost.
///
/// # Errors
/// As for [`trace`]. `lambda` is not above 0. There are no steps. A + lambda I is not positive definite.
pub fn log_det(operator: &dyn Operator, lambda: f64, probing: &Probing) -> Result<Estimate> {
    if !lambda.is_finite() || lambda <= 0.0 {
        return Err(Error::value(format!("lambda is {lambda}, but must be finite and above 0")));
    }
    estimated_sum(operator, probing, |rule| {
        let log = |(x, w): (&f64, &f64)| Ok(w * shifted(*x, lambda, rule, operator)?.ln());
        rule.nodes.iter().zip(&rule.weights).map(log).sum()
    })
}

/// x + lambda, which must be positive.
fn shifted(x: f64, lambda: f64, rule: &Rule, operator: &dyn Operator) -> Result<f64> {
    let rounding = ROUNDINGS * operator.precision() * rule.norm;
    let sum = if x < 0.0 && x >= -rounding { lambda } else { x + lambda };
    if sum > 0.0 {
        Ok(sum)
    } else {
        Err(Error::value(format!(
            "A + lambda I is not positive definite: A has the Ritz value {x} and lambda is {lambda}"
        )))
    }
}
