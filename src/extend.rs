//! Types for backends, tests and benches outside of this crate. They are not part of the stable API.

pub use crate::backend::{
    Addend, Contraction, ContractionPlan, Count, Counted, DeviceBlock, DeviceIndex, DeviceScratch, DeviceTensor, Dual,
    DualTensor, Helpers, Panels, RightPanel, Term, TileConfig, cpu,
};
pub use crate::factor::{Factor, Operands};
pub use crate::tape::{Node, SweepTargets, Swept, Tape, Use};

#[cfg(feature = "gpu")]
pub use crate::backend::gpu;
