//! Dense matrix products, computed by faer.

use faer::linalg::matmul::matmul;
use faer::traits::RealField;
use faer::{Accum, MatMut, MatRef, Par};

use crate::real::Real;

/// A row-major matrix inside a slice. The distance between two rows is `stride` entries.
#[derive(Clone, Copy)]
pub struct View<'a, R> {
    pub data: &'a [R],
    pub rows: usize,
    pub cols: usize,
    pub stride: usize,
    /// If true, the matrix is read as its transpose. `rows` and `cols` are those before transposing.
    pub transposed: bool,
}

impl<'a, R> View<'a, R> {
    /// The contiguous row-major matrix in `data`.
    pub fn new(data: &'a [R], rows: usize, cols: usize) -> Self {
        View { data, rows, cols, stride: cols, transposed: false }
    }

    /// The same matrix, transposed if `transpose`.
    pub fn transposed_if(self, transpose: bool) -> Self {
        View { transposed: self.transposed ^ transpose, ..self }
    }

    /// The transpose.
    pub fn t(self) -> Self {
        self.transposed_if(true)
    }

    /// The numbers of rows and columns as read.
    fn size(&self) -> (usize, usize) {
        if self.transposed { (self.cols, self.rows) } else { (self.rows, self.cols) }
    }
}

/// out = lhs rhs, or out += lhs rhs if `accumulate`. `out` is row-major with `out_stride` entries from row to row.
pub struct Gemm<'a, R> {
    pub out: &'a mut [R],
    pub out_stride: usize,
    pub lhs: View<'a, R>,
    pub rhs: View<'a, R>,
    pub accumulate: bool,
}

/// out = lhs rhs into a contiguous `out`.
pub fn product<R: Real>(out: &mut [R], lhs: View<'_, R>, rhs: View<'_, R>) {
    let out_stride = rhs.size().1;
    R::gemm(Gemm { out, out_stride, lhs, rhs, accumulate: false });
}

/// Computes the product on one thread. Threads take tiles and blocks of samples, and each of these is computed in
/// sequence. So bits do not depend on the number of threads, and faer's thread barriers are never entered from a pool.
pub(crate) fn by_faer<R: Real + RealField>(call: Gemm<'_, R>) {
    let (rows, inner) = call.lhs.size();
    let (inner_rhs, cols) = call.rhs.size();
    assert_eq!(inner, inner_rhs, "a product needs as many columns on the left as rows on the right");
    if rows == 0 || cols == 0 {
        return;
    }
    if inner == 0 {
        if !call.accumulate {
            call.out.chunks_mut(call.out_stride).take(rows).for_each(|row| row[..cols].fill(R::default()));
        }
        return;
    }
    // faer 0.24.4 swaps the strides in `from_row_major_slice_with_stride_mut`, and products are then written out of
    // bounds. `tests/backend.rs` checks the entries around a product.
    let out = MatMut::from_column_major_slice_with_stride_mut(call.out, cols, rows, call.out_stride).transpose_mut();
    let accumulate = if call.accumulate { Accum::Add } else { Accum::Replace };
    matmul(out, accumulate, as_faer(call.lhs), as_faer(call.rhs), R::from_f64(1.0), Par::Seq);
}

fn as_faer<R: Real>(view: View<'_, R>) -> MatRef<'_, R> {
    let matrix = MatRef::from_row_major_slice_with_stride(view.data, view.rows, view.cols, view.stride);
    if view.transposed { matrix.transpose() } else { matrix }
}
