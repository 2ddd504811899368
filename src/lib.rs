#![cfg_attr(feature = "rand", doc = include_str!("../README.md"))]
#![cfg_attr(not(feature = "rand"), doc = "Exact empirical neural tangent kernels, layer by layer.")]
//!
//! # Letters
//!
//! Fixed for the whole crate: n, m samples; t, u positions inside a sample; i, o features in and out of a layer;
//! c output; l layer. Arrays are row-major, samples first.

pub mod analysis;
mod attributes;
pub mod backend;
mod batch;
pub mod check;
pub mod differentiate;
mod error;
pub mod factor;
#[cfg(debug_assertions)]
mod instances;
#[cfg(any(feature = "npy", feature = "safetensors", feature = "png", feature = "idx", feature = "onnx"))]
pub mod io;
pub mod kernel;
mod model;
pub mod ops;
mod real;
mod samples;
pub mod shape;
#[cfg(feature = "store")]
pub mod store;
pub mod tape;
pub mod train;
pub mod unary;

pub use attributes::{Attribute, Attributes};
#[cfg(feature = "gpu")]
pub use backend::Gpu;
pub use backend::{Cpu, Device};
pub use batch::Batch;
pub use error::{Error, Result};
pub use kernel::{Kernel, Matrix, Method, Ntk, Outputs, Progress};
#[cfg(feature = "rand")]
pub use model::Init;
pub use model::{Gradient, Jacobian, Model, Parameterisation, Sequential, Session};
pub use real::Real;
pub use samples::{Reader, Samples, Subset};
pub use tape::{Graph, Parameter, ParameterInfo, Value};
pub use train::Loss;
