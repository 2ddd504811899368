//! Where ops are checked: numbers without a pattern, as inputs and parameters.

use crate::backend::Arrays;
use crate::real::Real;
use crate::shape::numel;

/// Numbers between -2 and 2 without a pattern: the fractional parts of k^2 times the golden ratio.
pub(super) struct Numbers(pub(super) u64);

impl Numbers {
    fn next(&mut self) -> f64 {
        self.0 += 1;
        ((self.0 * self.0) as f64 * 0.618_033_988_749_894_9).fract() * 4.0 - 2.0
    }

    pub(super) fn list(&mut self, count: usize) -> Vec<f64> {
        (0..count).map(|_| self.next()).collect()
    }

    /// Numbers in `domain` that keep a distance from `kinks`.
    pub(super) fn list_away_from(&mut self, count: usize, kinks: &[f64], domain: [f64; 2]) -> Vec<f64> {
        let mut far = || loop {
            let x = mapped(self.next(), domain);
            if kinks.iter().all(|kink| (x - kink).abs() > 0.05) {
                return x;
            }
        };
        (0..count).map(|_| far()).collect()
    }
}

/// A number between -2 and 2 taken into `domain`: stretched between two bounds, moved to a single one. Mapped and not
/// drawn again, as a narrow domain would be met too rarely.
fn mapped(x: f64, domain: [f64; 2]) -> f64 {
    let [low, high] = domain;
    match domain.map(f64::is_finite) {
        [true, true] => low + (x + 2.0) / 4.0 * (high - low),
        [true, false] => low + (x + 2.0),
        [false, true] => high - (2.0 - x),
        [false, false] => x,
    }
}

/// One array on the host.
#[derive(Clone)]
pub(super) struct Host {
    pub(super) shape: Vec<usize>,
    pub(super) data: Vec<f64>,
    /// The entries are whole numbers.
    pub(super) whole: bool,
}

impl Host {
    pub(super) fn new(shape: Vec<usize>, data: Vec<f64>) -> Self {
        Host { shape, data, whole: false }
    }

    pub(super) fn moved(&self, direction: &Host, by: f64) -> Host {
        if self.whole {
            return self.clone(); // between whole numbers there is nothing
        }
        let data = self.data.iter().zip(&direction.data).map(|(x, d)| x + by * d).collect();
        Host::new(self.shape.clone(), data)
    }

    pub(super) fn put<B: Arrays>(&self, arrays: &B) -> B::Tensor {
        let numbers: Vec<B::Number> = self.data.iter().map(|&x| B::Number::from_f64(x)).collect();
        arrays.upload(&numbers, &self.shape)
    }
}

/// Inputs and parameters, in that order.
pub(super) struct Point {
    pub(super) inputs: Vec<Host>,
    pub(super) parameters: Vec<Host>,
}

impl Point {
    pub(super) fn moved(&self, direction: &Point, by: f64) -> Point {
        let all = |list: &[Host], d: &[Host]| list.iter().zip(d).map(|(x, d)| x.moved(d, by)).collect();
        Point { inputs: all(&self.inputs, &direction.inputs), parameters: all(&self.parameters, &direction.parameters) }
    }

    pub(super) fn samples(&self, range: std::ops::Range<usize>) -> Point {
        let rows = |host: &Host| {
            let size = numel(&host.shape[1..]);
            let mut shape = host.shape.clone();
            shape[0] = range.len();
            Host { shape, data: host.data[range.start * size..range.end * size].to_vec(), whole: host.whole }
        };
        Point { inputs: self.inputs.iter().map(rows).collect(), parameters: self.parameters.clone() }
    }

    /// The numbers that precision `R` has for these.
    pub(super) fn rounded<R: Real>(&self) -> Point {
        let round = |host: &Host| {
            let data = host.data.iter().map(|&x| R::from_f64(x).f64()).collect();
            Host { shape: host.shape.clone(), data, whole: host.whole }
        };
        let all = |list: &[Host]| list.iter().map(round).collect();
        Point { inputs: all(&self.inputs), parameters: all(&self.parameters) }
    }
}
