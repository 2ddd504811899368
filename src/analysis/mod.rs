//! Analysis of kernels: spectra, predictions and comparisons.
//!
//! | function of a stored kernel | result |
//! |---|---|
//! | [`eigenvalues`], [`effective_rank`] | its spectrum |
//! | [`Ridge`], [`signed_targets`], [`argmax`], [`class_accuracy`] | regression and classification |
//! | [`sign_scores`], [`accuracy`] | the sign classifier of the paper |
//! | [`GradientFlow`], [`learning_rate_bound`] | a wide network at any time of its training |
//! | [`alignment`], [`centred_alignment`], [`centred_alignments`] | the similarity of two kernels |
//! | [`features`], [`conjugate_kernel`] | a network's features at any value, and their kernel |
//! | [`fisher_matrix`] | the Fisher matrix of a layer |
//!
//! [`trajectory`] follows a kernel during training. [`operator`] represents matrices that are too large to store by their
//! products, and [`solve`] computes eigenvalues, solutions and estimates from them.

mod alignment;
mod classifier;
mod conjugate;
mod eigenvalues;
mod fisher;
mod flow;
pub mod operator;
mod ridge;
pub mod solve;
mod spectrum;
mod stored;
pub mod trajectory;

pub use alignment::{AlignmentTable, alignment, centred_alignment, centred_alignments};
pub use classifier::{accuracy, argmax, class_accuracy, sign_scores, signed_targets};
pub use conjugate::{conjugate_kernel, features};
pub use eigenvalues::eigenvalues;
pub use fisher::fisher_matrix;
pub use flow::{Descent, GradientFlow, learning_rate_bound};
pub use ridge::Ridge;
pub use spectrum::effective_rank;
