//! Which parameters a kernel is of, and what each of them weighs.

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
    /// A number for each entry: gradients are multiplied out and scaled.
    Elements(Vec<f64>),
    /// out\[o\] in\[i\]: sides are scaled.
    RankOne { out: Vec<f64>, input: Vec<f64> },
}

impl Metric {
    /// What a kernel is multiplied by, if that is one number.
    pub fn uniform(&self) -> f64 {
        if let Metric::Uniform(weight) = self { *weight } else { 1.0 }
    }

    /// The square roots of the entries' weights, if they are not all one number: what rows of the Jacobian are multiplied
    /// by.
    pub fn roots(&self) -> Option<Vec<f64>> {
        match self {
            Metric::One | Metric::Uniform(_) => None,
            Metric::Elements(list) => Some(list.iter().map(|x| x.sqrt()).collect()),
            Metric::RankOne { out, input } => {
                Some(out.iter().flat_map(|o| input.iter().map(move |i| (o * i).sqrt())).collect())
            }
        }
    }

    /// # Errors
    /// A weight is not positive and finite, or there are not as many as `info` has entries.
    pub fn check(&self, info: &ParameterInfo) -> Result<()> {
        let (size, rows) = (numel(&info.shape), info.shape.first().copied().unwrap_or(1));
        let wrong = |what: String| Err(Error::shape(format!("weights of parameter '{}': {what}", info.name)));
        let list: Vec<f64> = match self {
            Metric::One => Vec::new(),
            Metric::Uniform(weight) => vec![*weight],
            Metric::Elements(list) if list.len() != size => {
                return wrong(format!("{} of them for shape {:?}", list.len(), info.shape));
            }
            Metric::RankOne { out, input } if out.len() != rows || out.len() * input.len() != size => {
                return wrong(format!("{} x {} of them for shape {:?}", out.len(), input.len(), info.shape));
            }
            Metric::Elements(list) => list.clone(),
            Metric::RankOne { out, input } => out.iter().chain(input).copied().collect(),
        };
        match list.iter().position(|x| !(x.is_finite() && *x > 0.0)) {
            None => Ok(()),
            Some(at) => Err(Error::value(format!(
                "weights of parameter '{}': number {at} is {}, where a positive one is needed",
                info.name, list[at]
            ))),
        }
    }
}

/// Flags for the parameters whose names fit one of the patterns; `*` stands for any letters.
///
/// # Errors
/// A pattern fits no name.
pub(crate) fn matching<S: AsRef<str>>(infos: &[ParameterInfo], patterns: &[S]) -> Result<Vec<bool>> {
    let mut flags = vec![false; infos.len()];
    for pattern in patterns {
        let pattern = pattern.as_ref();
        let mut any = false;
        for (flag, info) in flags.iter_mut().zip(infos) {
            if fits(pattern, &info.name) {
                (*flag, any) = (true, true);
            }
        }
        if !any {
            let names: Vec<&str> = infos.iter().map(|info| info.name.as_str()).collect();
            return Err(Error::name(format!("no parameter fits '{pattern}'; the model has {}", names.join(", "))));
        }
    }
    Ok(flags)
}

/// Does `name` fit `pattern`, where `*` stands for any letters?
pub(crate) fn fits(pattern: &str, name: &str) -> bool {
    let Some((start, rest)) = pattern.split_once('*') else { return pattern == name };
    let Some(mut left) = name.strip_prefix(start) else { return false };
    let mut parts: Vec<&str> = rest.split('*').collect();
    let end = parts.pop().unwrap_or_default();
    for part in parts {
        let Some(at) = left.find(part) else { return false };
        left = &left[at + part.len()..];
    }
    left.ends_with(end)
}

#[cfg(test)]
mod tests {
    use super::fits;

    #[test]
    fn patterns_fit_names() {
        for (pattern, name, want) in [
            ("conv1.weight", "conv1.weight", true),
            ("conv1", "conv1.weight", false),
            ("conv*", "conv1.weight", true),
            ("*.weight", "conv1.weight", true),
            ("*.weight", "conv1.bias", false),
            ("*", "", true),
            ("a*b*c", "a.b.b.c", true),
            ("a*b*c", "a.c.b", false),
            ("ab*ba", "aba", false),
            ("**", "x", true),
        ] {
            assert_eq!(fits(pattern, name), want, "{pattern} {name}");
        }
    }
}
