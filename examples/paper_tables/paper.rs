//! The paper's figures (Engel et al., section 4, Tables 1 to 4), from an A100. Its explicit ones probably ran in TF32: they
//! are over three times that GPU's peak in f32.
//!
//! Tables 1 and 2 are time and memory of MLP, 3 and 4 of MLP-h. Unknown figures are left out, never guessed.

use tangent_kernels::Method;

use crate::network::Network;

/// Numbers of samples, the rows of the tables.
pub const SAMPLES: [usize; 5] = [100, 1_000, 10_000, 20_000, 40_000];

/// The quantity of a table.
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

/// One figure and its place. `samples` is the row, the method the column.
struct Entry {
    network: Network,
    quantity: Quantity,
    method: Method,
    samples: usize,
    figure: Figure,
}

const fn entry(network: Network, quantity: Quantity, method: Method, samples: usize, figure: Figure) -> Entry {
    Entry { network, quantity, method, samples, figure }
}

/// The paper's known figures; megabytes are of 10^6 bytes. To add one, add a line.
const FIGURES: &[Entry] = &[
    entry(Network::Mlp, Quantity::Seconds, Method::ClosedForm, 40_000, Figure::OutOfMemory),
    entry(Network::Mlp, Quantity::Megabytes, Method::ClosedForm, 40_000, Figure::OutOfMemory),
    entry(Network::MlpH, Quantity::Seconds, Method::ClosedForm, 10_000, Figure::Is(0.0443)),
    entry(Network::MlpH, Quantity::Megabytes, Method::ClosedForm, 20_000, Figure::Is(17_899.0)),
];

pub fn figure(network: Network, method: Method, samples: usize, quantity: Quantity) -> Option<Figure> {
    let fits =
        |own: &&Entry| (own.network, own.method, own.samples, own.quantity) == (network, method, samples, quantity);
    FIGURES.iter().find(fits).map(|entry| entry.figure)
}

/// A method under the paper's name; `None` for methods of this crate only.
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
