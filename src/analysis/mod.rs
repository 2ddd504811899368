//! What a kernel tells: its spectrum, and how well it classifies.

mod classifier;
mod eigenvalues;
mod fisher;
pub mod operator;
pub mod solve;
mod spectrum;
pub mod trajectory;

pub use classifier::{accuracy, sign_scores};
pub use eigenvalues::eigenvalues;
pub use fisher::fisher;
pub use spectrum::{effective_rank, largest_eigenvalue};
