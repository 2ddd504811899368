//! The primitives that ops are written in, and the backends that compute them.
//!
//! [`Arrays`] is the sum of five families of primitives: [`Storage`], [`Pointwise`], [`Reductions`], [`Windows`] and
//! [`Indexing`]. Ops are written in them once, for all backends: [`Cpu<f32>`](Cpu), [`Cpu<f64>`](Cpu), [`Device`], and
//! [`Dual<B>`](Dual), which adds a tangent to every tensor of `B`. [`Gram`] adds the tiles of K.
//!
//! Primitives do not return `Result`. Shapes were checked when the model was recorded. After a device failure, tensors
//! carry the error and [`read`](Storage::read) returns it. A shape that does not fit is a defect of an op, and panics.

mod count;
pub mod cpu;
mod device;
mod dual;
#[cfg(feature = "gpu")]
pub mod gpu;
mod gram;
mod indexing;
mod pointwise;
mod rates;
mod reductions;
mod relation;
mod storage;
mod tile_config;
mod window;
mod windows;

pub use count::{Count, Counted};
pub use cpu::Cpu;
pub use device::{Device, DeviceBlock, DeviceIndex, DeviceScratch, DeviceTensor};
pub use dual::{Dual, DualTensor};
#[cfg(feature = "gpu")]
pub use gpu::Gpu;
pub use gram::{Addend, Contraction, ContractionPlan, Gram, Helpers, Panels, RightPanel, Term};
pub use indexing::Indexing;
pub use pointwise::Pointwise;
pub use rates::Rates;
pub use reductions::Reductions;
pub use relation::Relation;
pub use storage::Storage;
pub use tile_config::TileConfig;
pub use window::Window;
pub use windows::Windows;

/// All primitives. Every type that implements the five families implements it.
///
/// All arrays are row-major. Axis 0 of an activation is the sample.
///
/// Every primitive is differentiable in its tensor arguments. It is linear in each of them, except
/// [`apply`](Pointwise::apply), [`apply_derivative`](Pointwise::apply_derivative), [`softmax`](Reductions::softmax) and
/// [`log_softmax`](Reductions::log_softmax). So [`Dual`] needs one product rule per primitive. The
/// results of [`compare`](Pointwise::compare) and [`sort_order`](Indexing::sort_order) are piecewise constant: their
/// derivative is 0. An
/// [`Index`](Storage::Index) is constant. If it comes from a maximum, the values are gathered by it and keep their
/// derivatives.
pub trait Arrays: Storage + Pointwise + Reductions + Windows + Indexing {}

impl<B: Storage + Pointwise + Reductions + Windows + Indexing> Arrays for B {}
