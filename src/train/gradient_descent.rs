use super::{Optimiser, begun, moved};
use crate::error::Result;
use crate::model::{Gradient, Model};
use crate::ops::Op;
use crate::real::Real;

/// v <- mu v + g, theta <- theta - eta v: gradient descent with rate eta and momentum mu, of the full batch or of minibatches (SGD), as
/// PyTorch has it.
///
/// Plain gradient descent on the squared error, the mean of |f - y|^2 / 2, is stable below the rate 2 n / lambda, lambda being the
/// largest eigenvalue of the kernel.
#[derive(Clone, Debug, PartialEq)]
pub struct GradientDescent {
    rate: f64,
    momentum: f64,
    velocity: Vec<Vec<f64>>,
}

impl GradientDescent {
    /// With rate `rate` and no momentum.
    pub fn new(rate: f64) -> Self {
        GradientDescent { rate, momentum: 0.0, velocity: Vec::new() }
    }

    /// With momentum mu, 0 to 1.
    #[must_use]
    pub fn momentum(mut self, momentum: f64) -> Self {
        self.momentum = momentum;
        self
    }

    /// Another rate from now on.
    pub fn set_rate(&mut self, rate: f64) {
        self.rate = rate;
    }
}

impl Optimiser for GradientDescent {
    fn step<R: Real, O: Op>(&mut self, model: &mut Model<O>, gradient: &Gradient<R>) -> Result<()> {
        let GradientDescent { rate, momentum, velocity } = self;
        if *momentum == 0.0 {
            return moved(model, gradient, |_, _, value, slope| value - *rate * slope);
        }
        begun(velocity, gradient)?;
        moved(model, gradient, |k, at, value, slope| {
            let v = &mut velocity[k][at];
            *v = *momentum * *v + slope;
            value - *rate * *v
        })
    }
}
