use super::{Optimiser, check_state, update};
use crate::error::Result;
use crate::model::{Gradient, Model};
use crate::ops::Op;
use crate::real::Real;

/// Gradient descent with rate eta and momentum mu, as in PyTorch: v <- mu v + g, theta <- theta - eta v. The gradient g is
/// that of the full batch or of a minibatch (SGD).
///
/// On the squared error, the mean of |f - y|^2 / 2, plain gradient descent is stable for rates below 2 n / lambda, where
/// lambda is the largest eigenvalue of the kernel.
#[derive(Clone, Debug, PartialEq)]
pub struct GradientDescent {
    rate: f64,
    momentum: f64,
    velocity: Vec<Vec<f64>>,
}

impl GradientDescent {
    /// Gradient descent with rate `rate` and no momentum.
    pub fn new(rate: f64) -> Self {
        GradientDescent { rate, momentum: 0.0, velocity: Vec::new() }
    }

    /// Sets the momentum mu, between 0 and 1.
    #[must_use]
    pub fn momentum(mut self, momentum: f64) -> Self {
        self.momentum = momentum;
        self
    }

    /// Sets the rate for all following steps.
    pub fn set_rate(&mut self, rate: f64) {
        self.rate = rate;
    }
}

impl Optimiser for GradientDescent {
    fn step<R: Real, O: Op>(&mut self, model: &mut Model<O>, gradient: &Gradient<R>) -> Result<()> {
        let GradientDescent { rate, momentum, velocity } = self;
        if *momentum == 0.0 {
            return update(model, gradient, |entry| entry.value - *rate * entry.slope);
        }
        check_state(velocity, gradient)?;
        update(model, gradient, |entry| {
            let v = &mut velocity[entry.parameter][entry.index];
            *v = *momentum * *v + entry.slope;
            entry.value - *rate * *v
        })
    }
}
