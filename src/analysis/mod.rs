//! What a kernel tells: its spectrum, what it predicts, and what it has in common with another.
//!
//! | of a stored kernel | |
//! |---|---|
//! | [`largest_eigenvalue`], [`eigenvalues`], [`effective_rank`] | its spectrum |
//! | [`Ridge`], [`signed_targets`], [`argmax`], [`class_accuracy`] | regression and classes |
//! | [`sign_scores`], [`accuracy`] | the paper's sign classifier |
//! | [`GradientFlow`], [`learning_rate_bound`] | a wide network at any time of its training |
//! | [`alignment`], [`centred_alignment`], [`centred_alignments`] | the angle between two kernels |
//! | [`conjugate_kernel`], [`features_at`], [`gram`] | the kernel of a network's features, at any place |
//! | [`fisher`](fisher()) | the Fisher matrix of a layer |
//!
//! What becomes of a kernel while its network learns: [`trajectory`].
//! What is too large to be stored is known by its products: [`operator`], and what follows from them: [`solve`].

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

pub use alignment::{Alignments, alignment, centred_alignment, centred_alignments};
pub use classifier::{accuracy, argmax, class_accuracy, sign_scores, signed_targets};
pub use conjugate::{conjugate_kernel, conjugate_kernel_between, features, features_at, gram, gram_between};
pub use eigenvalues::eigenvalues;
pub use fisher::fisher;
pub use flow::{Descent, GradientFlow, learning_rate_bound};
pub use ridge::Ridge;
pub use spectrum::{effective_rank, largest_eigenvalue};
