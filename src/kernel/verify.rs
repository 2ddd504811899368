//! The fast path held against the slow ones, on a caller's own samples.

use super::{Kernel, Method, Ntk};
use crate::backend::Gram;
use crate::error::{Error, Result};
use crate::ops::Op;
use crate::real::Real;
use crate::samples::{Samples, Subset};

/// What [`Ntk::verify`] found.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Verification {
    /// The number of samples that were compared.
    pub samples: usize,
    /// One entry for every other method.
    pub methods: Vec<Verified>,
}

/// A method compared with the chosen one.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Verified {
    /// The other method.
    pub method: Method,
    /// The largest relative difference over all components and the total, and which one it was.
    pub worst: (f64, String),
}

impl Verification {
    /// The largest relative difference of all.
    pub fn worst(&self) -> f64 {
        self.methods.iter().map(|verified| verified.worst.0).fold(0.0, f64::max)
    }
}

/// Forward mode takes a run for every entry of every parameter; models of more entries are verified without it.
pub const FORWARD_MODE_ENTRIES: usize = 20_000;

impl<B: Gram, O: Op> Ntk<'_, B, O> {
    /// Computes the kernel of `samples` of the samples of `x`, spread evenly, by this method and by all others that can
    /// do the model, and compares them component by component with [`worst_difference`].
    ///
    /// # Errors
    /// As [`compute`](Ntk::compute).
    pub fn verify(&self, x: &dyn Samples<B::Number>, samples: usize) -> Result<Verification> {
        self.session.check(x)?;
        let n = x.samples();
        let samples = samples.min(n);
        let list: Vec<usize> = (0..samples).map(|k| k * n / samples).collect();
        let chosen = Subset::new(x, &list)?;
        let by = |method| Ntk { method, components: true, progress: None, ..self.clone() }.compute(&chosen);
        let kernel = by(self.method)?;
        let small = self.session.model().parameter_count() <= FORWARD_MODE_ENTRIES;
        let mut methods = Vec::new();
        for method in Method::ALL {
            if method == self.method || (method == Method::ForwardMode && !small) {
                continue;
            }
            match by(method) {
                Ok(other) => methods.push(Verified { method, worst: worst_difference(&kernel, &other)? }),
                Err(error) if method == Method::ClosedForm && error.is_unsupported() => {}
                Err(error) => return Err(error.context(method)),
            }
        }
        Ok(Verification { samples, methods })
    }
}

/// The largest relative difference of `kernel` from `reference` over all components and the total, and which one it was.
///
/// Of a component it is |K_l - R_l| / max(|R_l|, 1e-10 |R|) in Frobenius norms, R being the reference's total: a
/// component may be zero in exact arithmetic.
///
/// # Errors
/// The kernels have other components or sizes.
pub fn worst_difference<R: Real>(kernel: &Kernel<R>, reference: &Kernel<R>) -> Result<(f64, String)> {
    let names = |kernel: &Kernel<R>| kernel.components().iter().map(|(name, _)| name.clone()).collect::<Vec<_>>();
    if names(kernel) != names(reference) {
        return Err(Error::name(format!("components {:?} against {:?}", names(kernel), names(reference))));
    }
    let floor = 1e-10 * reference.total().frobenius_norm();
    let mut worst = (0.0, "total".to_string());
    let pairs = kernel.components().iter().zip(reference.components()).map(|((name, k), (_, r))| (name.as_str(), k, r));
    for (name, k, r) in pairs.chain([("total", kernel.total(), reference.total())]) {
        let distance = k.distance(r)?;
        let relative = if distance == 0.0 { 0.0 } else { distance / r.frobenius_norm().max(floor) };
        // A NaN must not hide behind a comparison.
        if relative.is_nan() || relative > worst.0 {
            worst = (if relative.is_nan() { f64::INFINITY } else { relative }, name.to_string());
        }
    }
    Ok(worst)
}
