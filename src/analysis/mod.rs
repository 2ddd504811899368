//! What a kernel tells: its spectrum, and how well it classifies.

mod classifier;
pub mod operator;
pub mod solve;
mod spectrum;

pub use classifier::{accuracy, sign_scores};
pub use spectrum::{effective_rank, largest_eigenvalue};
