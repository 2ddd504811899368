//! What a kernel tells: its spectrum, and how well it classifies.

mod alignment;
mod classifier;
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
pub use eigenvalues::eigenvalues;
pub use fisher::fisher;
pub use flow::{Descent, GradientFlow, learning_rate_bound};
pub use ridge::Ridge;
pub use spectrum::{effective_rank, largest_eigenvalue};
