//! The tape: a [`Graph`] records ops, a [`Tape`] is one run of it on a batch, and a reverse sweep over the tape leaves
//! the factors of every parameter. Nothing here knows which ops exist.

mod graph;
mod run;
mod weights;

pub use graph::{Graph, Node, Parameter, ParameterInfo, Value};
pub use run::{SweepTargets, Swept, Tape, Use};
pub(crate) use weights::View;
