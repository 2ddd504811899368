//! Where K(Z, X) goes at every record: into its products with the labels of X.

use std::sync::{Mutex, PoisonError};

use super::layers::{Grams, Layers};
use super::sums::dot;
use crate::error::{Error, Result};
use crate::kernel::sink::{Frame, RegionData, Sink};
use crate::real::{Real, vectorised};

/// A sink that is filled again and again: the sign classifier's scores.
pub(super) struct Scores<R> {
    layers: Layers,
    pub grams: Grams<R>,
    labels: Vec<f64>,
    rows: usize,
    /// Of every unit, \[layers + 1, rows\].
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
            for (scores, own) in scores.iter_mut().zip(part.chunks_exact(place.len().max(1))) {
                scores[place.clone()].iter_mut().zip(own).for_each(|(sum, x)| *sum += x);
            }
        }
        scores
    }
}

impl<R: Real> Sink<R> for Scores<R> {
    fn begin(&mut self, frame: &Frame) -> Result<()> {
        if self.labels.len() != frame.cols {
            return Err(Error::shape(format!("{} labels for a kernel of {} columns", self.labels.len(), frame.cols)));
        }
        (self.layers, self.rows) = (Layers::of(frame), frame.rows);
        self.places = frame.regions.iter().map(|region| region.rows.clone()).collect();
        self.parts = frame.regions.iter().map(|_| Mutex::default()).collect();
        self.grams.begin(frame);
        Ok(())
    }

    fn put(&self, part: &RegionData<'_, R>) -> Result<()> {
        let region = part.region();
        let (width, high, count) = (region.cols.len(), region.rows.len(), self.layers.names.len());
        let labels = &self.labels[region.cols.clone()];
        let mut scores = vec![0.0; count * high];
        let mut row_of_all = vec![R::default(); count * width];
        for row in 0..high {
            vectorised(|| {
                self.layers.row(part, &self.grams, row, &mut row_of_all);
                for (layer, entries) in row_of_all.chunks_exact(width).enumerate() {
                    scores[layer * high + row] = dot(entries, labels);
                }
            });
        }
        *self.parts[part.index].lock().unwrap_or_else(PoisonError::into_inner) = scores;
        Ok(())
    }
}
