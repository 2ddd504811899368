//! The metric M of K = J M J^T.

use crate::error::{Error, Result};
use crate::shape::numel;
use crate::tape::ParameterInfo;

/// The metric M of K = J M J^T, for one parameter.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) enum Metric {
    /// The identity.
    #[default]
    One,
    /// One number for all entries.
    Uniform(f64),
    /// One number per entry. Gradients are materialised and scaled.
    Elements(Vec<f64>),
    /// `out[o] input[i]` for entry (o, i). The operands are scaled.
    RankOne { out: Vec<f64>, input: Vec<f64> },
}

impl Metric {
    /// The factor of the kernel, if the metric is one number.
    pub fn uniform(&self) -> f64 {
        if let Metric::Uniform(weight) = self { *weight } else { 1.0 }
    }

    /// The square roots of the entries, if the metric is not one number. Rows of the Jacobian are multiplied by them.
    pub fn roots(&self) -> Option<Vec<f64>> {
        match self {
            Metric::One | Metric::Uniform(_) => None,
            Metric::Elements(entries) => Some(entries.iter().map(|x| x.sqrt()).collect()),
            Metric::RankOne { out, input } => {
                Some(out.iter().flat_map(|o| input.iter().map(move |i| (o * i).sqrt())).collect())
            }
        }
    }

    /// # Errors
    /// Returns an error if an entry is not positive and finite, or if the number of entries does not match the shape of
    /// `info`.
    pub fn check(&self, info: &ParameterInfo) -> Result<()> {
        let size = numel(&info.shape);
        let rows = info.shape.first().copied().unwrap_or(1);
        let wrong = |what: String| {
            Err(Error::shape(format!("metric of parameter '{}' of shape {:?}: {what}", info.name, info.shape)))
        };
        let entries: Vec<f64> = match self {
            Metric::One => Vec::new(),
            Metric::Uniform(weight) => vec![*weight],
            Metric::Elements(entries) if entries.len() != size => {
                return wrong(format!("{} entries, expected {size}", entries.len()));
            }
            Metric::RankOne { out, input } if out.len() != rows || out.len() * input.len() != size => {
                return wrong(format!(
                    "factors of {} x {} entries, expected {rows} x {}",
                    out.len(),
                    input.len(),
                    size / rows.max(1)
                ));
            }
            Metric::Elements(entries) => entries.clone(),
            Metric::RankOne { out, input } => out.iter().chain(input).copied().collect(),
        };
        match entries.iter().position(|x| !(x.is_finite() && *x > 0.0)) {
            None => Ok(()),
            Some(index) => Err(Error::value(format!(
                "metric of parameter '{}': entry {index} is {}, expected a positive finite number",
                info.name, entries[index]
            ))),
        }
    }
}
