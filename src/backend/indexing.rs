//! Rows of tables by their numbers.

use super::Storage;

/// The primitives that read and add rows by number, and sort.
pub trait Indexing: Storage {
    /// The entries of `x`, `[n, ...]`, as row numbers of a table with `rows` rows. If `apart`, every sample n has a
    /// table of its own: n `rows` is added.
    ///
    /// An invalid number (negative, too large or not whole) gathers NaN and scatters nothing.
    fn indices(&self, x: &Self::Tensor, rows: usize, apart: bool) -> Self::Index;
    /// The rows of `x`, `[rows, d]`, at the numbers in `index`. The shape is that of `index`, then d.
    fn gather(&self, x: &Self::Tensor, index: &Self::Index) -> Self::Tensor;
    /// The adjoint of [`gather`](Indexing::gather): adds each row of `y` to the row with its number in `index`. The
    /// shape is `[rows, d]`.
    fn scatter(&self, y: &Self::Tensor, index: &Self::Index, rows: usize) -> Self::Tensor;
    /// The order of every row of the last axis, with the shape of `x`. Entry k is the place of the k-th smallest entry of
    /// the row, or of the k-th largest if `descending`. Equal entries keep their order. NaN counts as the largest number.
    /// The result is constant.
    fn sort_order(&self, x: &Self::Tensor, descending: bool) -> Self::Tensor;
}
