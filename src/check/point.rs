//! Inputs and parameters for checks: numbers without a pattern.

use crate::backend::Arrays;
use crate::real::Real;
use crate::shape::numel;

/// Numbers between -2 and 2 without a pattern: the fractional parts of k^2 times the golden ratio, scaled.
pub(super) struct Numbers(pub(super) u64);

impl Numbers {
    fn next(&mut self) -> f64 {
        self.0 += 1;
        ((self.0 * self.0) as f64 * 0.618_033_988_749_894_9).fract() * 4.0 - 2.0
    }

    pub(super) fn list(&mut self, count: usize) -> Vec<f64> {
        (0..count).map(|_| self.next()).collect()
    }

    /// Numbers in `domain` with a minimum distance from `kinks`.
    pub(super) fn list_away_from(&mut self, count: usize, kinks: &[f64], domain: [f64; 2]) -> Vec<f64> {
        (0..count).map(|_| self.next_away_from(kinks, domain)).collect()
    }

    fn next_away_from(&mut self, kinks: &[f64], domain: [f64; 2]) -> f64 {
        loop {
            let x = into_domain(self.next(), domain);
            if kinks.iter().all(|kink| (x - kink).abs() > 0.05) {
                return x;
            }
        }
    }
}

/// Maps a number between -2 and 2 into `domain`. It is scaled to two bounds or shifted to one. Drawing until a number is
/// in the domain would take too long for narrow domains.
fn into_domain(x: f64, domain: [f64; 2]) -> f64 {
    let [low, high] = domain;
    match domain.map(f64::is_finite) {
        [true, true] => low + (x + 2.0) / 4.0 * (high - low),
        [true, false] => low + (x + 2.0),
        [false, true] => high - (2.0 - x),
        [false, false] => x,
    }
}

/// An array in host memory.
#[derive(Clone)]
pub(super) struct Host {
    pub(super) shape: Vec<usize>,
    pub(super) data: Vec<f64>,
    /// Whether the entries are whole numbers.
    pub(super) whole: bool,
}

impl Host {
    pub(super) fn new(shape: Vec<usize>, data: Vec<f64>) -> Self {
        Host { shape, data, whole: false }
    }

    pub(super) fn moved(&self, direction: &Host, by: f64) -> Host {
        if self.whole {
            return self.clone(); // whole numbers do not move
        }
        let data = self.data.iter().zip(&direction.data).map(|(x, d)| x + by * d).collect();
        Host::new(self.shape.clone(), data)
    }

    pub(super) fn put<B: Arrays>(&self, arrays: &B) -> B::Tensor {
        let numbers: Vec<B::Number> = self.data.iter().map(|&x| B::Number::from_f64(x)).collect();
        arrays.upload(&numbers, &self.shape)
    }

    fn samples(&self, range: &std::ops::Range<usize>) -> Host {
        let size = numel(&self.shape[1..]);
        let mut shape = self.shape.clone();
        shape[0] = range.len();
        Host { shape, data: self.data[range.start * size..range.end * size].to_vec(), whole: self.whole }
    }

    fn rounded<R: Real>(&self) -> Host {
        let data = self.data.iter().map(|&x| R::from_f64(x).f64()).collect();
        Host { shape: self.shape.clone(), data, whole: self.whole }
    }
}

/// The inputs and parameters of a check.
pub(super) struct Point {
    pub(super) inputs: Vec<Host>,
    pub(super) parameters: Vec<Host>,
}

impl Point {
    pub(super) fn moved(&self, direction: &Point, by: f64) -> Point {
        let moved = |hosts: &[Host], d: &[Host]| hosts.iter().zip(d).map(|(x, d)| x.moved(d, by)).collect();
        Point {
            inputs: moved(&self.inputs, &direction.inputs),
            parameters: moved(&self.parameters, &direction.parameters),
        }
    }

    pub(super) fn samples(&self, range: std::ops::Range<usize>) -> Point {
        let inputs = self.inputs.iter().map(|host| host.samples(&range)).collect();
        Point { inputs, parameters: self.parameters.clone() }
    }

    /// The same numbers rounded to precision `R`.
    pub(super) fn rounded<R: Real>(&self) -> Point {
        let rounded = |hosts: &[Host]| hosts.iter().map(Host::rounded::<R>).collect();
        Point { inputs: rounded(&self.inputs), parameters: rounded(&self.parameters) }
    }
}
