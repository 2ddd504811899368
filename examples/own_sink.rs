//! Your own sink: the nearest neighbour of every sample, from a kernel that is never stored.
//!
//! A sink receives a kernel in regions, rectangles of K, each once, from several threads. For K(X, X) these cover the
//! upper triangle. This sink keeps two numbers per sample.

use std::sync::Mutex;

use tangent_kernels::kernel::sink::{Frame, RegionData, Requirements, Sink};
use tangent_kernels::{Batch, Cpu, Real, Result, Sequential, Session};

/// For every sample the other sample with the most similar gradient: the largest `K[n,m] / sqrt(K[m,m])`.
struct Neighbours {
    /// `sqrt(K[n,n])`
    norms: Vec<f64>,
    best: Mutex<Vec<(f64, usize)>>,
}

impl Neighbours {
    /// Takes m as the neighbour of n if its gradient is more similar than the best so far; `k` is `K[n,m]`.
    fn improve(&self, best: &mut [(f64, usize)], n: usize, m: usize, k: f64) {
        let similarity = k / self.norms[m];
        if n != m && similarity > best[n].0 {
            best[n] = (similarity, m);
        }
    }
}

impl<R: Real> Sink<R> for Neighbours {
    /// Regions of any size will do.
    fn requirements(&self) -> Requirements {
        Requirements::default()
    }

    fn begin(&mut self, frame: &Frame) -> Result<()> {
        *self.best.get_mut().expect("no thread panicked") = vec![(f64::NEG_INFINITY, usize::MAX); frame.rows];
        Ok(())
    }

    /// Called from many threads at once.
    fn put(&self, part: &RegionData<'_, R>) -> Result<()> {
        let region = part.region();
        let entries = part.block(0, 0);
        let mut best = self.best.lock().expect("no thread panicked");
        for (r, n) in region.rows.clone().enumerate() {
            for (c, m) in region.cols.clone().enumerate() {
                let k = entries[r * region.cols.len() + c].f64();
                self.improve(&mut best, n, m, k);
                if part.mirrored() && region.above().contains(&n) {
                    // K is symmetric.
                    self.improve(&mut best, m, n, k);
                }
            }
        }
        Ok(())
    }
}

fn main() -> Result<()> {
    let mut model = Sequential::ntk(&[2]).linear("d1", 64).tanh().linear("d2", 1).build()?;
    model.initialise(1)?;
    // Points on a spiral: the nearest neighbour is the next point.
    let points: Vec<f64> = (0..200).flat_map(|k| [0.1 * f64::from(k).cos(), 0.1 * f64::from(k).sin()]).collect();
    let x = Batch::new(&points, &[200, 2])?;
    let session = Session::new(&model, Cpu::<f64>::new())?;
    let ntk = session.ntk().components(false);

    let norms = ntk.diagonal(&x)?.total().iter().map(|k| k.sqrt()).collect();
    let mut sink = Neighbours { norms, best: Mutex::default() };
    ntk.fill(&x, &mut sink)?;
    for (n, (alike, m)) in sink.best.into_inner().expect("no thread panicked").iter().enumerate().take(5) {
        println!("sample {n}: nearest is sample {m}, {alike:.4}");
    }
    Ok(())
}
