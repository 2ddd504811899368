//! Where K(X, X) goes at every record: into sums, beside what is held of the first and of the last record.

use std::sync::{Mutex, MutexGuard, PoisonError};

use rayon::prelude::*;

use super::layers::{Grams, Layers};
use super::sums::{Sums, add_scaled, dot};
use crate::analysis::operator::Operator;
use crate::error::{Error, Result};
use crate::kernel::Matrix;
use crate::kernel::sink::{Frame, Region, RegionData, Sink};
use crate::real::{Real, vectorised};
use crate::shape::zeros;

/// A sink that is filled again and again.
pub(super) struct Recorder<R> {
    pub layers: Layers,
    regions: Vec<Region>,
    rows: usize,
    pub grams: Grams<R>,
    labels: Option<Vec<f64>>,
    held: Vec<Mutex<Held<R>>>,
    /// |K|^2 of every layer and the total, at the first record and at the one before this.
    squares: Option<[Vec<f64>; 2]>,
}

/// What is held of a unit, \[layers + 1, rows, cols\].
#[derive(Default)]
struct Held<R> {
    first: Vec<R>,
    last: Vec<R>,
    /// One for every layer and the total.
    sums: Vec<Sums>,
}

impl<R: Real> Recorder<R> {
    pub fn new(grams: Grams<R>, labels: Option<Vec<f64>>) -> Self {
        let (layers, regions, held) = (Layers::default(), Vec::new(), Vec::new());
        Recorder { layers, regions, rows: 0, grams, labels, held, squares: None }
    }

    /// The sums over what came, one for every layer and the total, and |K|^2 at the first record and at the one before.
    pub fn finish(&mut self) -> Vec<(Sums, [f64; 2])> {
        let mut totals: Vec<Sums> = self.layers.names.iter().map(|_| Sums::new(self.rows, 0)).collect();
        for (region, held) in self.regions.iter().zip(&self.held) {
            totals.iter_mut().zip(&lock(held).sums).for_each(|(total, sums)| total.add(region, sums));
        }
        let own: Vec<f64> = totals.iter().map(|sums| sums.squares[0]).collect();
        let [first, last] = self.squares.take().unwrap_or_else(|| [own.clone(), own.clone()]);
        let list = totals.into_iter().enumerate().map(|(k, sums)| (sums, [first[k], last[k]])).collect();
        self.squares = Some([first, own]);
        list
    }

    /// A layer's part of the kernel that came last, or of the first one.
    ///
    /// # Errors
    /// There is no such layer, nothing was recorded, or no memory for it.
    pub fn matrix(&self, name: &str, first: bool) -> Result<Matrix<R>> {
        let layer = self.layers.names.iter().position(|own| own == name).ok_or_else(|| {
            Error::name(format!("there is no layer '{name}'; there are {}", self.layers.names.join(", ")))
        })?;
        let n = self.rows;
        let mut data: Vec<R> =
            zeros(&[n, n]).ok_or_else(|| Error::memory(format!("a kernel of {n} x {n} {} does not fit", R::NAME)))?;
        for (region, held) in self.regions.iter().zip(&self.held) {
            let (held, width) = (lock(held), region.cols.len());
            let entries = &if first { &held.first } else { &held.last }[layer * region.entries()..][..region.entries()];
            for (row, entries) in region.rows.clone().zip(entries.chunks_exact(width.max(1))) {
                data[row * n + region.cols.start..][..width].copy_from_slice(entries);
                if region.above().contains(&row) {
                    entries.iter().zip(region.cols.clone()).for_each(|(&x, col)| data[col * n + row] = x);
                }
            }
        }
        Matrix::from_vec(1, n, n, data)
    }

    /// One layer of the kernel that came last.
    pub fn operator(&self, layer: usize) -> Stored<'_, R> {
        Stored { recorder: self, layer }
    }

    fn new_held(&self, region: &Region) -> Result<Mutex<Held<R>>> {
        let entries = || {
            let list = zeros(&[self.layers.names.len(), region.entries()]);
            list.ok_or_else(|| {
                let (n, count) = (self.rows, self.layers.names.len());
                Error::memory(format!(
                    "the first and the last of {count} kernels of {n} x {n} {} do not fit in memory",
                    R::NAME
                ))
            })
        };
        Ok(Mutex::new(Held { first: entries()?, last: entries()?, sums: Vec::new() }))
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl<R: Real> Sink<R> for Recorder<R> {
    fn begin(&mut self, frame: &Frame) -> Result<()> {
        if self.held.is_empty() {
            if let Some(labels) = self.labels.as_ref().filter(|labels| labels.len() != frame.rows) {
                let (given, rows) = (labels.len(), frame.rows);
                return Err(Error::shape(format!("{given} labels for a kernel of {rows} rows")));
            }
            self.layers = Layers::of(frame);
            (self.regions, self.rows) = (frame.regions.clone(), frame.rows);
            self.held = self.regions.iter().map(|region| self.new_held(region)).collect::<Result<_>>()?;
        }
        if Layers::of(frame) != self.layers || frame.regions != self.regions {
            return Err(Error::shape("this kernel has other layers or another size than those recorded before"));
        }
        self.grams.begin(frame);
        Ok(())
    }

    fn put(&self, part: &RegionData<'_, R>) -> Result<()> {
        let region = part.region();
        let (width, high, count) = (region.cols.len(), region.rows.len(), self.layers.names.len());
        let mut held = lock(&self.held[part.index]);
        let Held { first, last, sums } = &mut *held;
        *sums = (0..count).map(|_| Sums::new(high, width)).collect();
        let mut row_of_all = vec![R::default(); count * width];
        for (row, at) in region.rows.clone().enumerate() {
            vectorised(|| self.layers.row(part, &self.grams, row, &mut row_of_all));
            let mirrored = part.frame.symmetric && region.above().contains(&at);
            for (layer, entries) in row_of_all.chunks_exact(width).enumerate() {
                let place = (layer * high + row) * width;
                let (first, last) = (&mut first[place..][..width], &mut last[place..][..width]);
                if self.squares.is_none() {
                    first.copy_from_slice(entries);
                    last.copy_from_slice(entries);
                }
                let labels = self.labels.as_deref().map(|y| (&y[region.cols.clone()], y[at]));
                let on_diagonal = at.checked_sub(region.cols.start).filter(|&col| col < width);
                let sums = &mut sums[layer];
                sums.trace += on_diagonal.map_or(0.0, |col| entries[col].f64());
                vectorised(|| sums.take(row, entries, [first, last], mirrored, labels));
                last.copy_from_slice(entries);
            }
        }
        Ok(())
    }
}

/// A layer's kernel as an operator, its products summed in f64.
pub(super) struct Stored<'a, R> {
    recorder: &'a Recorder<R>,
    layer: usize,
}

impl<R: Real> Operator for Stored<'_, R> {
    fn size(&self) -> usize {
        self.recorder.rows
    }

    fn apply(&self, x: &[f64]) -> Result<Vec<f64>> {
        let of_unit = |(region, held): (&Region, &Mutex<Held<R>>)| {
            let (held, width) = (lock(held), region.cols.len());
            let mut sums = Sums::new(region.rows.len(), width);
            let entries = &held.last[self.layer * region.entries()..][..region.entries()];
            vectorised(|| {
                for ((row, at), entries) in region.rows.clone().enumerate().zip(entries.chunks_exact(width.max(1))) {
                    sums.own[row] = dot(entries, &x[region.cols.clone()]);
                    if region.above().contains(&at) {
                        add_scaled(&mut sums.image, entries, x[at]);
                    }
                }
            });
            sums
        };
        let recorder = self.recorder;
        let parts: Vec<Sums> = recorder.regions.par_iter().zip(&recorder.held).map(of_unit).collect();
        let mut total = Sums::new(recorder.rows, 0);
        recorder.regions.iter().zip(&parts).for_each(|(region, sums)| total.add(region, sums));
        Ok(total.own)
    }

    fn precision(&self) -> f64 {
        f64::EPSILON
    }
}
