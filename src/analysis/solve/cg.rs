//! Linear systems.

use super::vectors::{add, dot, norm, product};
use crate::analysis::operator::{Operator, check_vector};
use crate::error::{Error, Result};

/// The smallest relative residual, in roundings of a product.
const ROUNDINGS: f64 = 32.0;

/// Options of [`conjugate_gradients`].
#[derive(Clone, Debug)]
pub struct CgOptions {
    tolerance: f64,
    steps: usize,
}

impl Default for CgOptions {
    /// A tolerance of 1e-10 and 3000 steps.
    fn default() -> Self {
        CgOptions { tolerance: 1e-10, steps: 3000 }
    }
}

impl CgOptions {
    /// Sets the relative residual |b - (A + lambda I) x| / |b| at which the iteration ends. It is raised to what the rounding
    /// of products allows: 32 times [`Operator::precision`], or this times |A + lambda I| |x| / |b|, up to the root of the
    /// precision.
    #[must_use]
    pub fn tolerance(mut self, tolerance: f64) -> Self {
        self.tolerance = tolerance;
        self
    }

    /// Sets the maximum number of steps. Each step takes one product with A.
    #[must_use]
    pub fn steps(mut self, steps: usize) -> Self {
        self.steps = steps;
        self
    }
}

/// The solution of a linear system.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Solution {
    /// The solution, one number per row of the operator.
    pub x: Vec<f64>,
    /// The number of steps.
    pub steps: usize,
    /// |b - (A + lambda I) x| / |b|, computed with a separate product. It is 0 if b is 0.
    pub residual: f64,
}

/// Solves (A + lambda I) x = b for a positive definite A + lambda I, such as a kernel with a ridge, by conjugate gradients
/// (Hestenes & Stiefel 1952; Golub & Van Loan 2013, section 11.3).
///
/// It takes about sqrt(condition) ln(2 / tolerance) / 2 steps. A singular system is solved if b is in the range of
/// A + lambda I. At the end the residual is computed from x. If it differs from the residual of the recursion because of
/// rounding, the iteration continues from x.
///
/// ```
/// use tangent_kernels::Matrix;
/// use tangent_kernels::analysis::operator::Dense;
/// use tangent_kernels::analysis::solve::{CgOptions, conjugate_gradients};
/// let kernel = Matrix::from_vec(1, 2, 2, vec![2.0f64, 1.0, 1.0, 2.0])?;
/// let solution = conjugate_gradients(&Dense::new(&kernel)?, 1.0, &[4.0, 4.0], &CgOptions::default())?;
/// assert!((solution.x[0] - 1.0).abs() < 1e-9 && solution.steps == 1);
/// # Ok::<(), tangent_kernels::Error>(())
/// ```
///
/// # Errors
/// `b` has another length than A has rows, or a number that is not finite. `lambda` is not finite or below 0. The operator
/// failed or returned numbers that are not finite. A direction p has p^T (A + lambda I) p <= 0 to the precision of products:
/// A + lambda I is indefinite, or singular with b outside its range. The steps were too few, or the residual no longer
/// decreases. The message says how far the iteration came.
pub fn conjugate_gradients(operator: &dyn Operator, lambda: f64, b: &[f64], options: &CgOptions) -> Result<Solution> {
    check_vector(b, operator.size())?;
    if !lambda.is_finite() || lambda < 0.0 {
        return Err(Error::value(format!("lambda is {lambda}, but must be finite and 0 or more")));
    }
    if options.tolerance.is_nan() || options.tolerance < 0.0 {
        return Err(Error::value(format!("the tolerance is {}, but must be 0 or more", options.tolerance)));
    }
    let largest = b.iter().fold(0.0f64, |max, b| max.max(b.abs()));
    if largest == 0.0 {
        return Ok(Solution { x: vec![0.0; b.len()], steps: 0, residual: 0.0 });
    }
    // b is scaled to norm 1, so that no square overflows or underflows.
    let scaled: Vec<f64> = b.iter().map(|b| b / largest).collect();
    let length = norm(&scaled);
    let b: Vec<f64> = scaled.iter().map(|b| b / length).collect();
    let mut solution = System { operator, lambda, b, options, steps: 0, norm: 0.0 }.solve()?;
    solution.x.iter_mut().for_each(|x| *x *= length * largest);
    if solution.x.iter().any(|x| !x.is_finite()) {
        return Err(Error::value("the solution of the linear system is too large for f64"));
    }
    Ok(solution)
}

struct System<'a> {
    operator: &'a dyn Operator,
    lambda: f64,
    /// The right-hand side, of norm 1.
    b: Vec<f64>,
    options: &'a CgOptions,
    steps: usize,
    /// The largest |(A + lambda I) p| / |p| so far.
    norm: f64,
}

impl System<'_> {
    /// (A + lambda I) p.
    fn product(&self, p: &[f64]) -> Result<Vec<f64>> {
        let mut product = product(self.operator, p)?;
        add(&mut product, self.lambda, p);
        Ok(product)
    }

    fn solve(mut self) -> Result<Solution> {
        let rounding = ROUNDINGS * self.operator.precision();
        let mut allowed = self.options.tolerance.max(rounding);
        let mut x = vec![0.0; self.b.len()];
        let mut rest = self.b.clone();
        let mut residual = 1.0;
        while residual > allowed {
            self.descend(&mut x, rest, allowed)?;
            rest = self.product(&x)?.iter().zip(&self.b).map(|(ax, b)| b - ax).collect();
            let before = residual;
            residual = norm(&rest);
            allowed = allowed.max((rounding * self.norm * norm(&x)).min(self.operator.precision().sqrt()));
            // Either products are less precise than the operator says, or x is far too large.
            if residual.is_nan() || residual > allowed && residual > before / 2.0 {
                return Err(Error::value(format!(
                    "conjugate gradients do not converge further after {} steps: the relative residual is {residual:.1e}, \
                     but {allowed:.1e} is required",
                    self.steps
                )));
            }
        }
        Ok(Solution { x, steps: self.steps, residual })
    }

    /// Improves `x`, whose residual is `rest`, until the residual of the recursion is small.
    fn descend(&mut self, x: &mut [f64], mut rest: Vec<f64>, allowed: f64) -> Result<()> {
        let mut square = dot(&rest, &rest);
        let mut p = rest.clone();
        while square.sqrt() > allowed {
            if self.steps == self.options.steps {
                return Err(Error::value(format!(
                    "conjugate gradients have not converged after {} steps: the relative residual is {:.1e}, but \
                     {allowed:.1e} is required",
                    self.steps,
                    square.sqrt()
                )));
            }
            let ap = self.product(&p)?;
            self.steps += 1;
            let p_square = dot(&p, &p);
            self.norm = self.norm.max(norm(&ap) / p_square.sqrt());
            let curvature = dot(&p, &ap) / p_square;
            if !curvature.is_finite() || !self.norm.is_finite() {
                return Err(Error::value("the squares of the operator's products are too large for f64"));
            }
            if curvature <= self.operator.precision() * self.norm {
                return Err(self.not_definite(curvature, square.sqrt()));
            }
            let step = square / (curvature * p_square);
            add(x, step, &p);
            add(&mut rest, -step, &ap);
            let before = std::mem::replace(&mut square, dot(&rest, &rest));
            let decrease = square / before;
            p.iter_mut().zip(&rest).for_each(|(p, rest)| *p = rest + decrease * *p);
        }
        Ok(())
    }

    fn not_definite(&self, curvature: f64, residual: f64) -> Error {
        let cause = if curvature < -self.operator.precision() * self.norm {
            "the operator is indefinite"
        } else {
            "the operator is singular to the precision of its products, and b is outside its range"
        };
        Error::value(format!(
            "conjugate gradients break down at step {}, at a relative residual of {residual:.1e}: p^T (A + lambda I) p \
             / p^T p is {curvature:.1e}, so {cause}",
            self.steps
        ))
    }
}
