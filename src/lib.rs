//! Exact empirical neural tangent kernels (NTKs), layer by layer, for any network, on any machine.
//!
//! For a network f with parameters theta and samples x, the NTK is K = J J^T with `J[n c, p]` = df_c(x_n) / dtheta_p.
//! It is a sum of one component per parameter. This crate computes the components without forming J: one forward pass
//! and one reverse sweep per output give two small arrays for every use of a parameter, and K is contracted from them.
//!
#![cfg_attr(feature = "rand", doc = "```")]
#![cfg_attr(not(feature = "rand"), doc = "```ignore")]
//! use tangent_kernels::{Batch, DynSession, Sequential};
//!
//! let mut model = Sequential::ntk(&[4]).linear("hidden", 64).tanh().linear("out", 1).build()?;
//! model.initialise(7)?; // feature `rand`; or `Model::set`, or a file
//!
//! let numbers: Vec<f64> = (0..20 * 4).map(|k| (k as f64).sin()).collect();
//! let x = Batch::new(&numbers, &[20, 4])?;
//!
//! let session = DynSession::f64(&model)?;
//! let kernel = session.ntk().compute(&x)?;
//! assert_eq!(kernel.total().shape(), [1, 20, 20]);
//! for (name, matrix) in &kernel {
//!     println!("{name}: trace {}", matrix.trace());
//! }
//! # Ok::<(), tangent_kernels::Error>(())
//! ```
//!
//! # Overview
//!
//! | to | see |
//! |---|---|
//! | build a network | [`Sequential`]; [`Model::from_fn`] with a [`Graph`] of [`ops`](mod@ops) and [`unary`] functions; [`Graph::derive`] for tied, transposed and computed weights |
#![cfg_attr(feature = "onnx", doc = "| import a trained network | [`io::onnx::Network`] |")]
#![cfg_attr(feature = "safetensors", doc = "| set its parameters | [`Model::set`], [`io::safetensors`] |")]
#![cfg_attr(not(feature = "safetensors"), doc = "| set its parameters | [`Model::set`] |")]
//! | provide samples | [`Batch`] from memory, a [`Reader`], or any [`Samples`] |
//! | compute a kernel | [`DynSession::ntk`], or [`Session::ntk`], which is generic over backends and ops; [`Outputs`], [`Method`]; [`Ntk::compute`], [`Ntk::between`], [`Ntk::diagonal`] |
//! | read it | [`Kernel`]: [`Kernel::total`], [`Kernel::components`], each a [`Matrix`] |
//! | estimate its cost | [`Ntk::plan`]: a [`kernel::Plan`] with flops, bytes and seconds; [`Ntk::memory_budget`] |
//! | verify it | [`Ntk::verify`], against other methods on a few samples |
//! | process it in parts | [`Ntk::fill`] with a sink of [`kernel::sink`]: half of K, sums that store nothing, or a sink of your own |
#![cfg_attr(
    feature = "store",
    doc = "| store it on disk | [`store`]: files that survive interruptions and can be filled by several processes |"
)]
#![cfg_attr(feature = "gpu", doc = "| compute on a GPU | [`Device`], [`Gpu`] |")]
#![cfg_attr(not(feature = "gpu"), doc = "| compute on a GPU | [`Device`], with the feature `gpu` |")]
//! | differentiate | [`differentiate`]: J v, J^T u, Jacobians, Hessian products, linearised models; [`Session::gradient`] |
//! | train | [`train`] |
//! | analyse a kernel | [`analysis`]: spectra, classifiers, ridge regression, gradient flow, Fisher matrices, operators without a matrix, trajectories |
#![cfg_attr(feature = "io", doc = "| read and write files | [`io`] |")]
//! | add an op of your own | [`ops::Op`] and [`ops!`], then [`check::op`] |
//!
//! The README and `Cargo.toml` list the features of the crate. The README also has figures, a comparison and the
//! command line.
//!
//! # Notation
//!
//! The whole crate uses these letters: n, m for samples; t, u for positions in a sample; i, o for input and output
//! features of a layer; c for outputs; l for layers.
//!
//! Arrays are row-major, samples first.
//!
//! # Errors
//!
//! Invalid input gives an [`Error`] that names its cause: a wrong shape, NaN or infinity, a damaged file, a lost
//! device. Ops that mix samples are rejected, and so are kernels that are not finite.

pub mod analysis;
mod attributes;
mod backend;
mod batch;
pub mod check;
pub mod differentiate;
mod error;
#[doc(hidden)]
pub mod extend;
mod factor;
#[cfg(debug_assertions)]
mod instantiations;
#[cfg(any(feature = "npy", feature = "safetensors", feature = "png", feature = "idx", feature = "onnx"))]
pub mod io;
pub mod kernel;
mod model;
pub mod ops;
mod pattern;
mod real;
mod samples;
pub mod shape;
#[cfg(feature = "store")]
pub mod store;
pub mod tape;
pub mod train;
pub mod unary;

pub use attributes::{Attribute, Attributes};
pub use backend::{Cpu, Device, Gram};
#[cfg(feature = "gpu")]
pub use backend::{Gpu, gpu::Adapter};
pub use batch::Batch;
pub use error::{Error, Result};
pub use kernel::Ntk;
pub use kernel::dyn_session::{DynNtk, DynSession};
pub use kernel::matrix::{Kernel, Matrix};
pub use kernel::method::Method;
pub use kernel::outputs::Outputs;
pub use kernel::progress::Progress;
pub use model::{Gradient, Jacobian, Model, Parameterisation, Sequential, Session};
pub use ops::Graph;
pub use real::Real;
pub use samples::{Reader, Samples, Subset};
pub use tape::{Parameter, ParameterInfo, Value};
pub use train::Loss;

/// The programs in the README.
#[cfg(all(doctest, feature = "rand"))]
#[doc = include_str!("../README.md")]
struct Readme;
