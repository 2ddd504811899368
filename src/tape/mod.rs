//! The tape. A [`Graph`] records ops on shapes. A [`Tape`] is one run of a graph on a batch. A reverse sweep over the tape
//! gives the factors of every parameter. This module does not depend on any particular op.

mod graph;
mod run;
mod weights;

pub(crate) use graph::layer_name;
pub use graph::{Graph, Node, Parameter, ParameterInfo, Value};
pub use run::{SweepTargets, Swept, Tape, Use};
pub(crate) use weights::View;
