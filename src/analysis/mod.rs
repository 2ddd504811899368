//! What a kernel tells: its spectrum, and how well it classifies.

mod classifier;
mod fisher;
pub mod operator;
mod spectrum;

pub use classifier::{accuracy, sign_scores};
pub use fisher::fisher;
pub use spectrum::{effective_rank, largest_eigenvalue};
