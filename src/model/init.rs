//! Random parameters. A seed gives the same values on every machine.

use rand_chacha::ChaCha12Rng;
use rand_chacha::rand_core::SeedableRng;
use rand_distr::{Distribution, StandardNormal};

use super::{Model, Parameterisation};
use crate::error::Result;
use crate::ops::Op;
use crate::shape::numel;

impl<O: Op> Model<O> {
    /// Draws all parameters as the model's [`Parameterisation`] says. Parameters that the graph
    /// [filled](crate::Graph::parameter_filled), such as those of norms, are reset to their value. Buffers do not change.
    ///
    /// Parameter k is drawn in row-major order from stream k of a ChaCha12 generator seeded with `seed`. Its values depend
    /// only on the seed, its index and its shape.
    ///
    /// Requires the feature `rand`.
    pub fn initialise(&mut self, seed: u64) -> Result<()> {
        for (stream, info) in self.parameters().to_vec().into_iter().enumerate() {
            if let Some(value) = self.graph().filled_with(&info.name) {
                self.set(&info.name, &info.shape, vec![value; numel(&info.shape)])?;
                continue;
            }
            let mut generator = ChaCha12Rng::seed_from_u64(seed);
            generator.set_stream(stream as u64);
            let deviation = deviation(self.parameterisation(), &info.shape);
            let mut draw = || -> f64 { StandardNormal.sample(&mut generator) };
            let values = (0..numel(&info.shape)).map(|_| deviation * draw()).collect();
            self.set(&info.name, &info.shape, values)?;
        }
        Ok(())
    }
}

/// The standard deviation of a parameter's entries.
fn deviation(parameterisation: Parameterisation, shape: &[usize]) -> f64 {
    let fan_in = numel(shape.get(1..).unwrap_or_default());
    match parameterisation {
        Parameterisation::Ntk => 1.0,
        Parameterisation::Standard if shape.len() < 2 => 0.0,
        Parameterisation::Standard => 1.0 / (fan_in as f64).sqrt(),
    }
}
