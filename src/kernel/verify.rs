//! Compares the fast method with the slow ones on a caller's samples.

use super::{Kernel, Method, Ntk};
use crate::backend::Gram;
use crate::error::{Error, Result};
use crate::ops::Op;
use crate::real::Real;
use crate::samples::{Samples, Subset};

/// The result of [`Ntk::verify`].
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Verification {
    /// The number of samples that were compared.
    pub samples: usize,
    /// One entry per other method.
    pub methods: Vec<Verified>,
}

/// The comparison of one method with the chosen one.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Verified {
    /// The other method.
    pub method: Method,
    /// The largest relative difference over all components and the total, and the name of the matrix with it.
    pub worst: (f64, String),
}

impl Verification {
    /// The largest relative difference over all methods.
    pub fn worst(&self) -> f64 {
        self.methods.iter().map(|verified| verified.worst.0).fold(0.0, f64::max)
    }
}

/// The largest number of entries of a model that is verified by forward mode, which takes one run per entry.
pub const FORWARD_MODE_ENTRIES: usize = 20_000;

impl<B: Gram, O: Op> Ntk<'_, B, O> {
    /// Computes the kernel of `samples` evenly spaced samples of `x` by this method and by all others that support the
    /// model. Compares them component by component with [`worst_difference`].
    ///
    /// # Errors
    /// As [`compute`](Ntk::compute).
    pub fn verify(&self, x: &dyn Samples<B::Number>, samples: usize) -> Result<Verification> {
        self.session.check(x)?;
        let n = x.samples();
        let samples = samples.min(n);
        let indices: Vec<usize> = (0..samples).map(|k| k * n / samples).collect();
        let subset = Subset::new(x, &indices)?;
        let compute_by = |method| Ntk { method, components: true, progress: None, ..self.clone() }.compute(&subset);
        let kernel = compute_by(self.method)?;
        let small = self.session.model().parameter_count() <= FORWARD_MODE_ENTRIES;
        let mut methods = Vec::new();
        for method in Method::ALL {
            if method == self.method || (method == Method::ForwardMode && !small) {
                continue;
            }
            match compute_by(method) {
                Ok(other) => methods.push(Verified { method, worst: worst_difference(&kernel, &other)? }),
                Err(error) if method == Method::ClosedForm && error.is_unsupported() => {}
                Err(error) => return Err(error.context(method)),
            }
        }
        Ok(Verification { samples, methods })
    }
}

/// The largest relative difference of `kernel` from `reference` over all components and the total, and the name of the
/// matrix with it.
///
/// The difference of a component is |K_l - R_l| / max(|R_l|, 1e-10 |R|) in Frobenius norms, where R is the total of the
/// reference. The floor covers components that are zero in exact arithmetic.
///
/// # Errors
/// Returns an error if the kernels have different components or sizes.
pub fn worst_difference<R: Real>(kernel: &Kernel<R>, reference: &Kernel<R>) -> Result<(f64, String)> {
    let names = |kernel: &Kernel<R>| kernel.components().iter().map(|(name, _)| name.clone()).collect::<Vec<_>>();
    if names(kernel) != names(reference) {
        return Err(Error::name(format!(
            "worst_difference: the kernels have different components, {:?} and {:?}",
            names(kernel),
            names(reference)
        )));
    }
    let floor = 1e-10 * reference.total().frobenius_norm();
    let mut worst = (0.0, "total".to_string());
    for ((name, k), (_, r)) in kernel.iter().zip(reference.iter()) {
        let distance = k.distance(r)?;
        let relative = if distance == 0.0 { 0.0 } else { distance / r.frobenius_norm().max(floor) };
        // A NaN fails every comparison, so it is tested first.
        if relative.is_nan() || relative > worst.0 {
            worst = (if relative.is_nan() { f64::INFINITY } else { relative }, name.to_string());
        }
    }
    Ok(worst)
}
