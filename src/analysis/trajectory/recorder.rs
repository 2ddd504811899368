//! The sink for K(X, X) at every record. It computes sums and compares with the first and the last recorded kernel.

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

/// A sink that is filled at every record.
pub(super) struct Recorder<R> {
    pub layers: Layers,
    regions: Vec<Region>,
    rows: usize,
    pub grams: Grams<R>,
    labels: Option<Vec<f64>>,
    regions_data: Vec<Mutex<Triangles<R>>>,
    /// |K|^2 of every layer and the total, at the first and at the previous record.
    squares: Option<[Vec<f64>; 2]>,
}

/// The sums over one layer, and |K|^2 of the first and of the previous record.
pub(super) struct LayerSums {
    pub sums: Sums,
    pub first_square: f64,
    pub last_square: f64,
}

/// The stored entries of a region, `[layers + 1, rows, cols]`, of the first and of the last recorded kernel.
#[derive(Default)]
struct Triangles<R> {
    first: Vec<R>,
    last: Vec<R>,
    /// The sums of every layer and the total.
    sums: Vec<Sums>,
}

impl<R: Real> Recorder<R> {
    pub fn new(grams: Grams<R>, labels: Option<Vec<f64>>) -> Self {
        let layers = Layers::default();
        Recorder { layers, regions: Vec::new(), rows: 0, grams, labels, regions_data: Vec::new(), squares: None }
    }

    /// The sums over the last kernel for every layer and the total. The current squares are stored for the next record.
    pub fn finish(&mut self) -> Vec<LayerSums> {
        let mut totals: Vec<Sums> = self.layers.names.iter().map(|_| Sums::new(self.rows, 0)).collect();
        for (region, data) in self.regions.iter().zip(&self.regions_data) {
            totals.iter_mut().zip(&lock(data).sums).for_each(|(total, sums)| total.add(region, sums));
        }
        let squares: Vec<f64> = totals.iter().map(|sums| sums.squares[0]).collect();
        let [first, last] = self.squares.take().unwrap_or_else(|| [squares.clone(), squares.clone()]);
        let layers = totals.into_iter().zip(&first).zip(&last);
        let layers =
            layers.map(|((sums, &first_square), &last_square)| LayerSums { sums, first_square, last_square }).collect();
        self.squares = Some([first, squares]);
        layers
    }

    /// A layer's part of the last recorded kernel, or of the first.
    ///
    /// # Errors
    /// There is no such layer, nothing was recorded, or the matrix does not fit in memory.
    pub fn matrix(&self, name: &str, first: bool) -> Result<Matrix<R>> {
        let layer = self.layers.names.iter().position(|known| known == name).ok_or_else(|| {
            Error::name(format!("there is no layer '{name}'; the layers are {}", self.layers.names.join(", ")))
        })?;
        let n = self.rows;
        let mut data: Vec<R> = zeros(&[n, n])
            .ok_or_else(|| Error::memory(format!("a kernel of {n} x {n} {} does not fit in memory", R::NAME)))?;
        for (region, stored) in self.regions.iter().zip(&self.regions_data) {
            let stored = lock(stored);
            let width = region.cols.len();
            let entries = if first { &stored.first } else { &stored.last };
            let entries = &entries[layer * region.entries()..][..region.entries()];
            for (row, entries) in region.rows.clone().zip(entries.chunks_exact(width.max(1))) {
                data[row * n + region.cols.start..][..width].copy_from_slice(entries);
                if region.above().contains(&row) {
                    entries.iter().zip(region.cols.clone()).for_each(|(&x, col)| data[col * n + row] = x);
                }
            }
        }
        Matrix::from_vec(1, n, n, data)
    }

    /// One layer of the last recorded kernel as an operator.
    pub fn operator(&self, layer: usize) -> LayerOperator<'_, R> {
        LayerOperator { recorder: self, layer }
    }

    fn new_triangles(&self, region: &Region) -> Result<Mutex<Triangles<R>>> {
        Ok(Mutex::new(Triangles {
            first: self.new_entries(region)?,
            last: self.new_entries(region)?,
            sums: Vec::new(),
        }))
    }

    fn new_entries(&self, region: &Region) -> Result<Vec<R>> {
        let n = self.rows;
        let count = self.layers.names.len();
        zeros(&[count, region.entries()]).ok_or_else(|| {
            Error::memory(format!(
                "the first and the last of {count} kernels of {n} x {n} {} do not fit in memory",
                R::NAME
            ))
        })
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl<R: Real> Sink<R> for Recorder<R> {
    fn begin(&mut self, frame: &Frame) -> Result<()> {
        if self.regions_data.is_empty() {
            if let Some(labels) = self.labels.as_ref().filter(|labels| labels.len() != frame.rows) {
                let given = labels.len();
                let rows = frame.rows;
                return Err(Error::shape(format!("got {given} labels for a kernel of {rows} rows; pass one per row")));
            }
            self.layers = Layers::from_frame(frame);
            self.regions = frame.regions.clone();
            self.rows = frame.rows;
            self.regions_data = self.regions.iter().map(|region| self.new_triangles(region)).collect::<Result<_>>()?;
        }
        if Layers::from_frame(frame) != self.layers || frame.regions != self.regions {
            return Err(Error::shape("the kernel has other layers or another size than the kernels recorded before"));
        }
        self.grams.begin(frame);
        Ok(())
    }

    fn put(&self, part: &RegionData<'_, R>) -> Result<()> {
        let region = part.region();
        let width = region.cols.len();
        let height = region.rows.len();
        let count = self.layers.names.len();
        let mut data = lock(&self.regions_data[part.index]);
        let Triangles { first, last, sums } = &mut *data;
        *sums = (0..count).map(|_| Sums::new(height, width)).collect();
        let mut layer_rows = vec![R::default(); count * width];
        for (row, kernel_row) in region.rows.clone().enumerate() {
            vectorised(|| self.layers.row(part, &self.grams, row, &mut layer_rows));
            let mirrored = part.frame.symmetric && region.above().contains(&kernel_row);
            for (layer, entries) in layer_rows.chunks_exact(width).enumerate() {
                let place = (layer * height + row) * width;
                let first = &mut first[place..][..width];
                let last = &mut last[place..][..width];
                if self.squares.is_none() {
                    first.copy_from_slice(entries);
                    last.copy_from_slice(entries);
                }
                let labels = self.labels.as_deref().map(|y| (&y[region.cols.clone()], y[kernel_row]));
                let on_diagonal = kernel_row.checked_sub(region.cols.start).filter(|&col| col < width);
                let sums = &mut sums[layer];
                sums.trace += on_diagonal.map_or(0.0, |col| entries[col].f64());
                vectorised(|| sums.add_row(row, entries, [first, last], mirrored, labels));
                last.copy_from_slice(entries);
            }
        }
        Ok(())
    }
}

/// A layer of the last recorded kernel as an operator, with products in f64.
pub(super) struct LayerOperator<'a, R> {
    recorder: &'a Recorder<R>,
    layer: usize,
}

impl<R: Real> Operator for LayerOperator<'_, R> {
    fn size(&self) -> usize {
        self.recorder.rows
    }

    fn apply(&self, x: &[f64]) -> Result<Vec<f64>> {
        let recorder = self.recorder;
        let parts: Vec<Sums> = recorder
            .regions
            .par_iter()
            .zip(&recorder.regions_data)
            .map(|(region, data)| self.region_product(region, &lock(data), x))
            .collect();
        let mut total = Sums::new(recorder.rows, 0);
        recorder.regions.iter().zip(&parts).for_each(|(region, sums)| total.add(region, sums));
        Ok(total.row_products)
    }

    fn precision(&self) -> f64 {
        f64::EPSILON
    }
}

impl<R: Real> LayerOperator<'_, R> {
    /// The products of a region and of its mirror image with x.
    fn region_product(&self, region: &Region, data: &Triangles<R>, x: &[f64]) -> Sums {
        let width = region.cols.len();
        let mut sums = Sums::new(region.rows.len(), width);
        let entries = &data.last[self.layer * region.entries()..][..region.entries()];
        vectorised(|| {
            for ((row, kernel_row), entries) in region.rows.clone().enumerate().zip(entries.chunks_exact(width.max(1)))
            {
                sums.row_products[row] = dot(entries, &x[region.cols.clone()]);
                if region.above().contains(&kernel_row) {
                    add_scaled(&mut sums.column_products, entries, x[kernel_row]);
                }
            }
        });
        sums
    }
}
