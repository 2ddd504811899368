use super::{Entry, Optimiser, check_state, update};
use crate::error::Result;
use crate::model::{Gradient, Model};
use crate::ops::Op;
use crate::real::Real;

/// Adam (Kingma and Ba, 2015, algorithm 1). With the gradient g of step t:
///
/// m <- b1 m + (1 - b1) g, v <- b2 v + (1 - b2) g^2,
/// theta <- theta - eta m / (1 - b1^t) / (sqrt(v / (1 - b2^t)) + eps).
#[derive(Clone, Debug, PartialEq)]
pub struct Adam {
    rate: f64,
    betas: [f64; 2],
    eps: f64,
    steps: i32,
    moments: [Vec<Vec<f64>>; 2],
}

impl Adam {
    /// Adam with rate eta = `rate`, b1 = 0.9, b2 = 0.999 and eps = 1e-8.
    pub fn new(rate: f64) -> Self {
        Adam { rate, betas: [0.9, 0.999], eps: 1e-8, steps: 0, moments: Default::default() }
    }

    /// Sets the decay rates b1 and b2 of the moments.
    #[must_use]
    pub fn betas(mut self, first: f64, second: f64) -> Self {
        self.betas = [first, second];
        self
    }

    /// Sets eps.
    #[must_use]
    pub fn eps(mut self, eps: f64) -> Self {
        self.eps = eps;
        self
    }

    /// Sets the rate for all following steps.
    pub fn set_rate(&mut self, rate: f64) {
        self.rate = rate;
    }
}

impl Optimiser for Adam {
    fn step<R: Real, O: Op>(&mut self, model: &mut Model<O>, gradient: &Gradient<R>) -> Result<()> {
        let Adam { rate, betas: [b1, b2], eps, steps, moments: [m, v] } = self;
        check_state(m, gradient)?;
        check_state(v, gradient)?;
        *steps = steps.saturating_add(1);
        let first = 1.0 - b1.powi(*steps);
        let second = 1.0 - b2.powi(*steps);
        update(model, gradient, |Entry { parameter, index, value, slope }| {
            let m = &mut m[parameter][index];
            let v = &mut v[parameter][index];
            *m = *b1 * *m + (1.0 - *b1) * slope;
            *v = *b2 * *v + (1.0 - *b2) * slope * slope;
            value - *rate * (*m / first) / ((*v / second).sqrt() + *eps)
        })
    }
}
