//! The sink for K(Z, X) at every record. It computes products with the labels of X.

use std::sync::{Mutex, PoisonError};

use super::layers::{Grams, Layers};
use super::sums::dot;
use crate::error::{Error, Result};
use crate::kernel::sink::{Frame, RegionData, Sink};
use crate::real::{Real, vectorised};

/// A sink that is filled at every record, with the scores of the sign classifier.
pub(super) struct Scores<R> {
    layers: Layers,
    pub grams: Grams<R>,
    labels: Vec<f64>,
    rows: usize,
    /// The scores of every region, `[layers + 1, rows]`.
    parts: Vec<Mutex<Vec<f64>>>,
    places: Vec<std::ops::Range<usize>>,
}

impl<R: Real> Scores<R> {
    pub fn new(grams: Grams<R>, labels: Vec<f64>) -> Self {
        Scores { layers: Layers::default(), grams, labels, rows: 0, parts: Vec::new(), places: Vec::new() }
    }

    /// sum over k of Y_k K(z, X_k), for every layer and the total.
    pub fn scores(&self) -> Vec<Vec<f64>> {
        let mut scores = vec![vec![0.0; self.rows]; self.layers.names.len()];
        for (place, part) in self.places.iter().zip(&self.parts) {
            let part = part.lock().unwrap_or_else(PoisonError::into_inner);
            for (scores, region_scores) in scores.iter_mut().zip(part.chunks_exact(place.len().max(1))) {
                scores[place.clone()].iter_mut().zip(region_scores).for_each(|(sum, x)| *sum += x);
            }
        }
        scores
    }
}

impl<R: Real> Sink<R> for Scores<R> {
    fn begin(&mut self, frame: &Frame) -> Result<()> {
        if self.labels.len() != frame.cols {
            let given = self.labels.len();
            let columns = frame.cols;
            return Err(Error::shape(format!(
                "got {given} labels for a kernel of {columns} columns; pass one per column"
            )));
        }
        self.layers = Layers::from_frame(frame);
        self.rows = frame.rows;
        self.places = frame.regions.iter().map(|region| region.rows.clone()).collect();
        self.parts = frame.regions.iter().map(|_| Mutex::default()).collect();
        self.grams.begin(frame);
        Ok(())
    }

    fn put(&self, part: &RegionData<'_, R>) -> Result<()> {
        let region = part.region();
        let width = region.cols.len();
        let height = region.rows.len();
        let count = self.layers.names.len();
        let labels = &self.labels[region.cols.clone()];
        let mut scores = vec![0.0; count * height];
        let mut layer_rows = vec![R::default(); count * width];
        for row in 0..height {
            vectorised(|| {
                self.layers.row(part, &self.grams, row, &mut layer_rows);
                for (layer, entries) in layer_rows.chunks_exact(width).enumerate() {
                    scores[layer * height + row] = dot(entries, labels);
                }
            });
        }
        *self.parts[part.index].lock().unwrap_or_else(PoisonError::into_inner) = scores;
        Ok(())
    }
}
