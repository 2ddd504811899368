//! Dense products: the only file that names faer's.

use faer::linalg::matmul::matmul;
use faer::traits::RealField;
use faer::{Accum, MatMut, MatRef, Par};

use crate::real::Real;

/// A matrix inside a slice, row after row, `stride` entries apart.
#[derive(Clone, Copy)]
pub struct View<'a, R> {
    pub data: &'a [R],
    pub rows: usize,
    pub cols: usize,
    pub stride: usize,
    /// Read as its transpose: `rows` and `cols` are those before transposing.
    pub transposed: bool,
}

impl<'a, R> View<'a, R> {
    /// The contiguous row-major matrix in `data`.
    pub fn new(data: &'a [R], rows: usize, cols: usize) -> Self {
        View { data, rows, cols, stride: cols, transposed: false }
    }

    /// The same, transposed if `yes`.
    pub fn transposed_if(self, yes: bool) -> Self {
        View { transposed: self.transposed ^ yes, ..self }
    }

    /// Its transpose.
    pub fn t(self) -> Self {
        self.transposed_if(true)
    }

    /// Rows and columns as read.
    fn size(&self) -> (usize, usize) {
        if self.transposed { (self.cols, self.rows) } else { (self.rows, self.cols) }
    }
}

/// out = lhs rhs, or out += lhs rhs; `out` is row-major, `out_stride` entries from row to row.
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

/// One thread: threads take tiles and blocks of samples, and inside of these all is sequential. Bits then cannot
/// depend on the number of threads, and faer's own thread barriers are never entered from within a pool.
pub(crate) fn by_faer<R: Real + RealField>(call: Gemm<'_, R>) {
    let (rows, inner) = call.lhs.size();
    let (inner_rhs, cols) = call.rhs.size();
    assert_eq!(inner, inner_rhs, "inner sizes of a product");
    if rows == 0 || cols == 0 {
        return;
    }
    if inner == 0 {
        if !call.accumulate {
            call.out.chunks_mut(call.out_stride).take(rows).for_each(|row| row[..cols].fill(R::default()));
        }
        return;
    }
    // Not faer's `from_row_major_slice_with_stride_mut`: in 0.24.4 it swaps the strides, and products are written out of
    // bounds. `tests/backend.rs` watches the entries around a product.
    let out = MatMut::from_column_major_slice_with_stride_mut(call.out, cols, rows, call.out_stride).transpose_mut();
    let accumulate = if call.accumulate { Accum::Add } else { Accum::Replace };
    matmul(out, accumulate, as_faer(call.lhs), as_faer(call.rhs), R::from_f64(1.0), Par::Seq);
}

fn as_faer<R: Real>(view: View<'_, R>) -> MatRef<'_, R> {
    let m = MatRef::from_row_major_slice_with_stride(view.data, view.rows, view.cols, view.stride);
    if view.transposed { m.transpose() } else { m }
}
