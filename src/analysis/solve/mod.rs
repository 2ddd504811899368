//! Eigenvalues, linear systems, determinants and spectral densities of an [`Operator`](super::operator::Operator), from its
//! products.
//!
//! | function | result | products with A |
//! |---|---|---|
//! | [`largest`] | the k largest eigenvalues and their eigenvectors | some tens of k |
//! | [`conjugate_gradients`] | x with (A + lambda I) x = b | sqrt(condition) |
//! | [`trace`], [`effective_rank_estimate`] | estimates with their errors | probes |
//! | [`spectral_sum`], [`log_det`], [`density`] | tr f(A), log det(A + lambda I), the spectral density | probes x steps |
//! | [`condition`] | bounds of the spectrum from inside | steps |
//! | [`faer_adapter`] | operators for faer's own solvers | |
//!
//! Arithmetic is in `f64`. Tolerances are at least what [`Operator::precision`](super::operator::Operator::precision)
//! allows. Every iteration has a limit, and its error says how far it came. No result is NaN. Random vectors depend on a seed
//! only. Results have the same bits for any number of threads, if the operator's products do.
//!
//! If a kernel fits in memory, a dense solver is faster for all of its eigenvalues.

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
pub use trace::{effective_rank_estimate, log_det, trace};
