//! What a kernel tells: its spectrum, and how well it classifies.

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

pub use alignment::{Alignments, alignment, centred_alignment, centred_alignments};
pub use classifier::{accuracy, argmax, class_accuracy, one_hot, sign_scores};
pub use conjugate::{conjugate_kernel, conjugate_kernel_between, features, features_at, gram, gram_between};
pub use eigenvalues::eigenvalues;
pub use fisher::fisher;
pub use flow::{Descent, GradientFlow, learning_rate_bound};
pub use ridge::Ridge;
pub use spectrum::{effective_rank, largest_eigenvalue};
