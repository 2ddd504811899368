//! Random parameters, the same for a seed on every machine.

use rand_chacha::ChaCha12Rng;
use rand_chacha::rand_core::SeedableRng;
use rand_distr::{Distribution, StandardNormal};

use super::{Model, Parameterisation};
use crate::error::Result;
use crate::ops::Op;
use crate::shape::numel;

/// How parameters are drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Init {
    /// Every entry standard normal: the NTK parameterisation, whose graph carries the 1 / sqrt(fan-in).
    StandardNormal,
    /// Weights normal with variance 1 / fan-in (the product of all sizes but the first), vectors zero: the standard
    /// parameterisation.
    Scaled,
}

impl From<Parameterisation> for Init {
    fn from(parameterisation: Parameterisation) -> Self {
        match parameterisation {
            Parameterisation::Ntk => Init::StandardNormal,
            Parameterisation::Standard => Init::Scaled,
        }
    }
}

impl<O: Op> Model<O> {
    /// Draws all parameters but those that the graph [filled](crate::Graph::parameter_filled), such as a norm's, which
    /// get their value again. Buffers stay what they are. Parameter k is drawn from stream k of a ChaCha12 generator seeded with `seed`, in
    /// row-major order, so a parameter's values depend on the seed, its place and its shape alone.
    ///
    /// Available with the feature `rand`.
    pub fn initialise(&mut self, init: impl Into<Init>, seed: u64) -> Result<()> {
        let init = init.into();
        for (stream, info) in self.parameters().to_vec().into_iter().enumerate() {
            if let Some(value) = self.graph().filled_with(&info.name) {
                self.set(&info.name, &info.shape, vec![value; numel(&info.shape)])?;
                continue;
            }
            let mut generator = ChaCha12Rng::seed_from_u64(seed);
            generator.set_stream(stream as u64);
            let fan_in = numel(info.shape.get(1..).unwrap_or_default());
            let deviation = match init {
                Init::StandardNormal => 1.0,
                Init::Scaled if info.shape.len() < 2 => 0.0,
                Init::Scaled => 1.0 / (fan_in as f64).sqrt(),
            };
            let mut draw = || -> f64 { StandardNormal.sample(&mut generator) };
            let values = (0..numel(&info.shape)).map(|_| deviation * draw()).collect();
            self.set(&info.name, &info.shape, values)?;
        }
        Ok(())
    }
}
