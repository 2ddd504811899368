//! Vector operations of the solvers. Sums have a fixed order, so bits do not depend on threads.

use rayon::prelude::*;

use crate::analysis::operator::Operator;
use crate::error::{Error, Result};

/// The number of entries that a thread processes at a time.
const CHUNK: usize = 1 << 12;
/// Smaller work is done on one thread, since waking threads takes longer.
const SMALL: usize = 1 << 15;

/// A x, checked to be finite.
///
/// # Errors
/// The operator failed, or its product has another length or a number that is not finite.
pub(super) fn product(operator: &dyn Operator, x: &[f64]) -> Result<Vec<f64>> {
    let product = operator.apply(x)?;
    if product.len() != x.len() {
        return Err(Error::shape(format!(
            "the operator of size {} returned a product of {} numbers",
            x.len(),
            product.len()
        )));
    }
    match product.iter().position(|x| !x.is_finite()) {
        Some(entry) => Err(Error::value(format!("entry {entry} of a product with the operator is {}", product[entry]))),
        None => Ok(product),
    }
}

pub(in crate::analysis) fn dot(x: &[f64], y: &[f64]) -> f64 {
    x.iter().zip(y).map(|(x, y)| x * y).sum()
}

pub(super) fn norm(x: &[f64]) -> f64 {
    dot(x, x).sqrt()
}

/// y + a x, in place.
pub(super) fn add(y: &mut [f64], a: f64, x: &[f64]) {
    y.iter_mut().zip(x).for_each(|(y, x)| *y += a * x);
}

/// Divides by the norm and returns the norm.
pub(super) fn normalise(x: &mut [f64]) -> f64 {
    let norm = norm(x);
    if norm > 0.0 {
        x.iter_mut().for_each(|x| *x /= norm);
    }
    norm
}

/// Removes the components of `x` along the orthonormal `basis` and returns them: one pass of classical Gram-Schmidt. Two
/// passes are sufficient ("twice is enough": Parlett 1998, "The symmetric eigenvalue problem", section 6.9).
pub(super) fn orthogonalise(x: &mut [f64], basis: &[Vec<f64>]) -> Vec<f64> {
    let remove = |first: usize, x: &mut [f64], along: &[f64]| {
        basis.iter().zip(along).for_each(|(v, along)| add(x, -along, &v[first..first + x.len()]));
    };
    if basis.len() * x.len() < SMALL {
        let along: Vec<f64> = basis.iter().map(|v| dot(v, x)).collect();
        remove(0, x, &along);
        return along;
    }
    let along: Vec<f64> = basis.par_iter().map(|v| dot(v, x)).collect();
    x.par_chunks_mut(CHUNK).enumerate().for_each(|(chunk, x)| remove(chunk * CHUNK, x, &along));
    along
}

/// The linear combination of `basis` with these coefficients.
pub(in crate::analysis) fn combined(basis: &[Vec<f64>], coefficients: &[f64]) -> Vec<f64> {
    let mut sum = vec![0.0; basis.first().map_or(0, Vec::len)];
    basis.iter().zip(coefficients).for_each(|(v, &c)| add(&mut sum, c, v));
    sum
}
