//! Eigenvalues, linear systems, determinants and spectra of an [`Operator`](super::operator::Operator), by its
//! products.
//!
//! | function | gives | products with A |
//! |---|---|---|
//! | [`largest`] | the k largest eigenvalues and their vectors | some tens of k |
//! | [`conjugate_gradients`] | x of (A + lambda I) x = b | sqrt(condition) |
//! | [`trace`], [`effective_rank`] | estimates with their errors | probes |
//! | [`spectral_sum`], [`log_det`], [`density`] | tr f(A), log det(A + lambda I), the spectrum's shape | probes x steps |
//! | [`condition`] | the ends of the spectrum, from inside | steps |
//! | [`faer_adapter`] | operators for faer's own solvers | |
//!
//! Arithmetic is in `f64`; tolerances are never smaller than what
//! [`Operator::precision`](super::operator::Operator::precision) leaves. Every iteration has a limit, and an error that
//! says how far it came; no result is NaN. What is random comes from a seed, and is the same to the bit for any number
//! of threads, if the operator's products are.
//!
//! Where a kernel fits in memory, a dense solver is faster for all of its eigenvalues.

mod cg;
mod density;
mod eigen;
pub mod faer_adapter;
mod krylov;
mod quadrature;
mod random;
pub(crate) mod small;
mod trace;
pub(super) mod vectors;

pub use cg::{CgOptions, Solution, conjugate_gradients};
pub use density::{Axis, Condition, Curve, Density, condition, density};
pub use eigen::{EigenOptions, Eigenpairs, largest};
pub use quadrature::{Estimate, Probing, spectral_sum};
pub use trace::{effective_rank, log_det, trace};
