//! The networks of the tables, and their samples.

use rand_chacha::ChaCha12Rng;
use rand_chacha::rand_core::SeedableRng;
use rand_distr::{Distribution, StandardNormal};
use tangent_kernels::{Error, Model, Real, Result};

use crate::cnn::cnn;
use crate::mlp::mlp;

/// What section 4 of the paper measures, and a CNN as users of other programs time it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Network {
    /// Four linear layers of width 100: 100-100-100-100-1.
    Mlp,
    /// Eight linear layers of width 1000.
    MlpH,
    /// Three convolutions, 3-32-64-64, on 32 x 32, and a dense layer.
    Cnn,
}

impl Network {
    pub const ALL: [Network; 3] = [Network::Mlp, Network::MlpH, Network::Cnn];

    /// Its name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Network::Mlp => "mlp",
            Network::MlpH => "mlp-h",
            Network::Cnn => "cnn",
        }
    }

    /// Its name in the paper.
    pub fn title(self) -> &'static str {
        match self {
            Network::Mlp => "MLP",
            Network::MlpH => "MLP-h",
            Network::Cnn => "CNN",
        }
    }

    pub fn named(name: &str) -> Result<Self> {
        Network::ALL
            .into_iter()
            .find(|network| network.name() == name)
            .ok_or_else(|| Error::value(format!("--model is '{name}', where mlp, mlp-h or cnn is needed")))
    }

    /// The model, with random weights that are the same in every process.
    pub fn model(self, outputs: usize) -> Result<Model> {
        match self {
            Network::Mlp => mlp(4, 100, outputs),
            Network::MlpH => mlp(8, 1000, outputs),
            Network::Cnn => cnn(outputs),
        }
    }
}

/// Standard normal samples, the same for every method and the same numbers, rounded, in both precisions.
pub fn samples<R: Real>(entries: usize) -> Vec<R> {
    let mut generator = ChaCha12Rng::seed_from_u64(1);
    let mut draw = || -> f64 { StandardNormal.sample(&mut generator) };
    (0..entries).map(|_| R::from_f64(draw())).collect()
}
