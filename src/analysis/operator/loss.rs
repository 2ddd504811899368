use std::ops::Range;

use crate::error::{Error, Result};

/// A loss of the outputs of every sample, with its first and second derivative in them.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum Loss<'a> {
    /// |f - y|^2 / 2 for targets y, \[N, C\]. Slope f - y, second derivative 1.
    SquaredError(&'a [f64]),
    /// -log softmax(f)_y for classes y, one for each sample. Slope p - e_y with p = softmax(f), second derivative
    /// diag(p) - p p^T.
    CrossEntropy(&'a [usize]),
    /// log(1 + e^-(y f)) for labels y, 1 or -1, \[N, C\]. Slope -y s(-y f) with s the sigmoid, second derivative
    /// s(f) s(-f).
    Logistic(&'a [f64]),
}

impl Loss<'_> {
    /// # Errors
    /// There is not a target for every sample or output, or one is none.
    pub(super) fn check(&self, samples: usize, outputs: usize) -> Result<()> {
        let (given, wanted) = match self {
            Loss::SquaredError(y) | Loss::Logistic(y) => (y.len(), samples * outputs),
            Loss::CrossEntropy(y) => (y.len(), samples),
        };
        if given != wanted {
            return Err(Error::shape(format!(
                "{given} targets for {samples} samples of {outputs} outputs, where {wanted} are needed"
            )));
        }
        let wrong = match self {
            Loss::SquaredError(y) => y.iter().position(|y| !y.is_finite()),
            Loss::Logistic(y) => y.iter().position(|y| y.abs() != 1.0),
            Loss::CrossEntropy(y) => y.iter().position(|&y| y >= outputs),
        };
        match (wrong, self) {
            (None, _) => Ok(()),
            (Some(at), Loss::SquaredError(y)) => Err(Error::value(format!("target {at} is {}", y[at]))),
            (Some(at), Loss::Logistic(y)) => {
                Err(Error::value(format!("label {at} is {}, where 1 or -1 is needed", y[at])))
            }
            (Some(at), Loss::CrossEntropy(y)) => {
                Err(Error::value(format!("class {at} is {}, where there are {outputs} outputs", y[at])))
            }
        }
    }

    /// The mean loss of all samples with outputs `f`, \[N, C\].
    ///
    /// # Errors
    /// As where operators are made: there is not a target for every sample or output, or one is none.
    pub fn mean(&self, f: &[f64], outputs: usize) -> Result<f64> {
        let samples = f.len() / outputs.max(1);
        self.check(samples, outputs)?;
        let sum: f64 = match self {
            Loss::SquaredError(y) => f.iter().zip(*y).map(|(f, y)| (f - y).powi(2) / 2.0).sum(),
            Loss::Logistic(y) => f.iter().zip(*y).map(|(f, y)| softplus(-y * f)).sum(),
            Loss::CrossEntropy(y) => f.chunks_exact(outputs).zip(*y).map(|(f, &y)| log_sum_exp(f) - f[y]).sum(),
        };
        Ok(sum / samples.max(1) as f64)
    }

    /// The derivative in the outputs `f` of the samples in `range`.
    pub(super) fn slope(&self, range: Range<usize>, f: &[f64], outputs: usize) -> Vec<f64> {
        let own = range.start * outputs..range.end * outputs;
        match self {
            Loss::SquaredError(y) => f.iter().zip(&y[own]).map(|(f, y)| f - y).collect(),
            Loss::Logistic(y) => f.iter().zip(&y[own]).map(|(f, y)| -y * sigmoid(-y * f)).collect(),
            Loss::CrossEntropy(y) => {
                let mut slope: Vec<f64> = f.chunks_exact(outputs).flat_map(softmax).collect();
                slope.chunks_exact_mut(outputs).zip(&y[range]).for_each(|(slope, &y)| slope[y] -= 1.0);
                slope
            }
        }
    }

    /// The second derivative at the outputs `f`, times `df`.
    pub(super) fn curvature(&self, f: &[f64], df: &[f64], outputs: usize) -> Vec<f64> {
        match self {
            Loss::SquaredError(_) => df.to_vec(),
            Loss::Logistic(_) => f.iter().zip(df).map(|(f, df)| sigmoid(*f) * sigmoid(-f) * df).collect(),
            Loss::CrossEntropy(_) => {
                let of_sample = |(f, df): (&[f64], &[f64])| {
                    let p = softmax(f);
                    let mean: f64 = p.iter().zip(df).map(|(p, df)| p * df).sum();
                    p.iter().zip(df).map(|(p, df)| p * (df - mean)).collect::<Vec<_>>()
                };
                f.chunks_exact(outputs).zip(df.chunks_exact(outputs)).flat_map(of_sample).collect()
            }
        }
    }
}

fn sigmoid(x: f64) -> f64 {
    // No exponential overflows.
    let e = (-x.abs()).exp();
    if x >= 0.0 { 1.0 / (1.0 + e) } else { e / (1.0 + e) }
}

fn softplus(x: f64) -> f64 {
    x.max(0.0) + (-x.abs()).exp().ln_1p()
}

fn log_sum_exp(f: &[f64]) -> f64 {
    let top = f.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    top + f.iter().map(|f| (f - top).exp()).sum::<f64>().ln()
}

fn softmax(f: &[f64]) -> Vec<f64> {
    let total = log_sum_exp(f);
    f.iter().map(|f| (f - total).exp()).collect()
}
