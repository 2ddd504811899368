//! placeholder until merged
use super::*;
use crate::kernel::Matrix;
use std::sync::Mutex;
pub(crate) struct Dense<R> {
    m: Mutex<Vec<Matrix<R>>>,
    names: Vec<String>,
    add: bool,
    first: usize,
}
impl<R> Default for Dense<R> {
    fn default() -> Self {
        Dense { m: Mutex::new(vec![]), names: vec![], add: false, first: 0 }
    }
}
impl<R: Real> Dense<R> {
    pub fn again(&mut self) -> Result<()> {
        self.add = true;
        Ok(())
    }
    pub fn into_matrices(self) -> (Matrix<R>, Vec<(String, Matrix<R>)>) {
        let mut it = self.m.into_inner().unwrap().into_iter();
        let t = it.next().unwrap();
        (t, self.names.into_iter().zip(it).collect())
    }
}
impl<R: Real> Sink<R> for Dense<R> {
    fn wants(&self) -> Wants {
        Wants { bytes_per_entry: size_of::<R>() as f64, ..Wants::default() }
    }
    fn begin(&mut self, f: &Frame) -> Result<()> {
        let m = self.m.get_mut().unwrap();
        if m.is_empty() {
            m.push(Matrix::zeros(f.blocks, f.rows, f.cols)?);
        }
        self.first = m.len();
        for n in &f.matrices[1..] {
            self.names.push(n.clone());
            m.push(Matrix::zeros(f.blocks, f.rows, f.cols)?);
        }
        Ok(())
    }
    fn put(&self, p: &Part<'_, R>) -> Result<()> {
        let u = p.unit();
        let mut ms = self.m.lock().unwrap();
        for k in 0..p.frame.matrices.len() {
            for b in 0..p.frame.blocks {
                let e = p.of(k, b);
                let add = self.add && k == 0;
                let at = if k == 0 { 0 } else { self.first + k - 1 };
                let m = &mut ms[at];
                let (rows, cols) = (m.rows(), m.cols());
                let d = &mut m.as_mut_slice()[b * rows * cols..][..rows * cols];
                for (r, row) in u.rows.clone().enumerate() {
                    for (c, col) in u.cols.clone().enumerate() {
                        let x = e[r * u.cols.len() + c];
                        let mut w = |i: usize, j: usize| if add { d[i * cols + j] += x } else { d[i * cols + j] = x };
                        w(row, col);
                        if p.frame.symmetric && row < u.cols.start {
                            w(col, row);
                        }
                    }
                }
            }
        }
        Ok(())
    }
}
