//! The paper's figures (Engel et al., section 4, Tables 1 to 4): one A100 GPU, whose matrix products ran in TF32.
//!
//! Tables 1 and 2 are time and memory of MLP, 3 and 4 of MLP-h. A figure that is not given here is printed as ?, never
//! guessed.

use tangent_kernels::Method;

use crate::network::Network;

/// Numbers of samples, the rows of the tables.
pub const SAMPLES: [usize; 5] = [100, 1_000, 10_000, 20_000, 40_000];

/// What a table holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Quantity {
    Seconds,
    Megabytes,
}

/// A figure as the paper prints it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Figure {
    Is(f64),
    OutOfMemory,
}

/// The paper's figures that we know: network, method, samples, seconds, megabytes (10^6 bytes).
const FIGURES: &[(Network, Method, usize, Option<Figure>, Option<Figure>)] = &[
    (Network::Mlp, Method::ClosedForm, 40_000, Some(Figure::OutOfMemory), Some(Figure::OutOfMemory)),
    (Network::MlpH, Method::ClosedForm, 10_000, Some(Figure::Is(0.0443)), None),
    (Network::MlpH, Method::ClosedForm, 20_000, None, Some(Figure::Is(17_899.0))),
];

pub fn figure(network: Network, method: Method, samples: usize, quantity: Quantity) -> Option<Figure> {
    let row = FIGURES.iter().find(|row| (row.0, row.1, row.2) == (network, method, samples))?;
    match quantity {
        Quantity::Seconds => row.3,
        Quantity::Megabytes => row.4,
    }
}

/// A method under the paper's name; `None` for one that it does not have.
pub fn name(method: Method) -> Option<&'static str> {
    match method {
        Method::Autograd => Some("autograd"),
        Method::Layerwise => Some("layerwise"),
        Method::LayerwiseBatched => Some("vmap"),
        Method::FullJacobian => Some("full Jacobian"),
        Method::ClosedForm => Some("explicit"),
        _ => None,
    }
}
