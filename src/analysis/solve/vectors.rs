//! What solvers do with vectors. Sums run in one order, so bits do not depend on threads.

use rayon::prelude::*;

use crate::analysis::operator::Operator;
use crate::error::{Error, Result};

/// Entries that a thread takes at once.
const CHUNK: usize = 1 << 12;
/// Work on fewer entries is done before threads have been woken.
const SMALL: usize = 1 << 15;

/// A x, of finite numbers.
///
/// # Errors
/// The operator failed, or its product has another length or a number that is not finite.
pub(super) fn product(operator: &dyn Operator, x: &[f64]) -> Result<Vec<f64>> {
    let product = operator.apply(x)?;
    if product.len() != x.len() {
        return Err(Error::shape(format!(
            "a product of {} numbers from an operator of size {}",
            product.len(),
            x.len()
        )));
    }
    match product.iter().position(|x| !x.is_finite()) {
        Some(at) => Err(Error::value(format!("entry {at} of a product with the operator is {}", product[at]))),
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

/// Divides by the norm, and gives it.
pub(super) fn normalise(x: &mut [f64]) -> f64 {
    let norm = norm(x);
    if norm > 0.0 {
        x.iter_mut().for_each(|x| *x /= norm);
    }
    norm
}

/// Takes from `x` what lies along the orthonormal `basis`, and gives how much that was: a pass of classical
/// Gram-Schmidt. Two passes leave nothing that matters ("twice is enough": Parlett 1998, "The symmetric eigenvalue
/// problem", section 6.9).
pub(super) fn orthogonalise(x: &mut [f64], basis: &[Vec<f64>]) -> Vec<f64> {
    let take = |first: usize, x: &mut [f64], along: &[f64]| {
        basis.iter().zip(along).for_each(|(v, along)| add(x, -along, &v[first..first + x.len()]));
    };
    if basis.len() * x.len() < SMALL {
        let along: Vec<f64> = basis.iter().map(|v| dot(v, x)).collect();
        take(0, x, &along);
        return along;
    }
    let along: Vec<f64> = basis.par_iter().map(|v| dot(v, x)).collect();
    x.par_chunks_mut(CHUNK).enumerate().for_each(|(chunk, x)| take(chunk * CHUNK, x, &along));
    along
}

/// The sum of `basis` with these coefficients.
pub(in crate::analysis) fn combined(basis: &[Vec<f64>], coefficients: &[f64]) -> Vec<f64> {
    let mut sum = vec![0.0; basis.first().map_or(0, Vec::len)];
    basis.iter().zip(coefficients).for_each(|(v, &c)| add(&mut sum, c, v));
    sum
}
