//! Exact empirical neural tangent kernels (NTKs), layer by layer, for any network, on any machine.
//!
//! For a network f with parameters theta and samples x, the NTK is K = J J^T, `J[n c, p]` = df_c(x_n) / dtheta_p. It is a sum with
//! one component for each parameter, and components are what this crate gives, without ever forming J: one forward pass and
//! one reverse sweep per output leave two small arrays at every use of a parameter, and K is read from them.
//!
#![cfg_attr(feature = "rand", doc = "```")]
#![cfg_attr(not(feature = "rand"), doc = "```ignore")]
//! use tangent_kernels::{Batch, Cpu, Sequential, Session};
//!
//! let mut model = Sequential::ntk(&[4]).linear("hidden", 64).tanh().linear("out", 1).build()?;
//! model.initialise(7)?; // feature `rand`; or `Model::set`, or a file
//!
//! let numbers: Vec<f64> = (0..20 * 4).map(|k| (k as f64).sin()).collect();
//! let x = Batch::new(&numbers, &[20, 4])?;
//!
//! let session = Session::new(&model, Cpu::<f64>::new())?;
//! let kernel = session.ntk().compute(&x)?;
//! assert_eq!(kernel.total().shape(), [1, 20, 20]);
//! for (name, component) in kernel.components() {
//!     println!("{name}: trace {}", component.trace());
//! }
//! # Ok::<(), tangent_kernels::Error>(())
//! ```
//!
//! # Where to look
//!
//! | to | see |
//! |---|---|
//! | build a network | [`Sequential`]; [`Model::from_fn`] with a [`Graph`] of [`ops`](mod@ops) and [`unary`] functions; [`Graph::derive`] for tied, transposed and computed weights |
#![cfg_attr(feature = "onnx", doc = "| bring one that was trained elsewhere | [`io::onnx::Network`] |")]
#![cfg_attr(feature = "safetensors", doc = "| set its parameters | [`Model::set`], [`io::safetensors`] |")]
#![cfg_attr(not(feature = "safetensors"), doc = "| set its parameters | [`Model::set`] |")]
//! | bring samples | [`Batch`] from memory, a [`Reader`], or any [`Samples`] |
//! | ask for a kernel | [`Session::ntk`], which gives an [`Ntk`] to choose [`Outputs`], [`Method`], parameters and a budget; [`Ntk::compute`], [`Ntk::between`], [`Ntk::diagonal`] |
//! | read it | [`Kernel`]: [`Kernel::total`], [`Kernel::components`], each a [`Matrix`] |
//! | know before | [`Ntk::plan`]: a [`kernel::Plan`] with flops, bytes and seconds; [`Ntk::memory_budget`] |
//! | not believe it | [`Ntk::verify`] against other methods on a few of your samples |
//! | let it go elsewhere | [`Ntk::fill`] with a sink of [`kernel::sink`]: half of K, sums that store nothing, a place of your own |
#![cfg_attr(
    feature = "store",
    doc = "| keep it on disk | [`store`]: files that are taken up again after a crash, and shared among processes |"
)]
#![cfg_attr(feature = "gpu", doc = "| compute on a graphics card | [`Device`], [`Gpu`] |")]
#![cfg_attr(not(feature = "gpu"), doc = "| compute elsewhere | [`Device`]; with the feature `gpu` on graphics cards |")]
//! | differentiate | [`differentiate`]: J v, J^T u, Jacobians, Hessian products, linearised models; [`Session::gradient`] |
//! | train | [`train`] |
//! | know what a kernel says | [`analysis`]: spectra, classifiers, ridge regression, gradient flow, Fisher matrices, operators without a matrix, trajectories |
#![cfg_attr(feature = "io", doc = "| read and write files | [`io`] |")]
//! | add an op of your own | [`ops::Op`] and [`ops!`], then [`check::op`] |
//!
//! The features of the crate, and what each is for, stand in its `Cargo.toml` and in the README, which has figures, a comparison
//! and the command line too.
//!
//! # Letters
//!
//! Fixed for the whole crate: n, m samples; t, u positions inside a sample; i, o features in and out of a layer;
//! c output; l layer. Arrays are row-major, samples first.
//!
//! # Errors
//!
//! Whatever a caller brings, a wrong shape, a number that is none, a damaged file, a device that is lost, ends in an [`Error`] that
//! names the culprit. An op that mixes samples is refused, and so is a kernel that would not be finite.

pub mod analysis;
mod attributes;
pub mod backend;
mod batch;
pub mod check;
pub mod differentiate;
mod error;
pub mod factor;
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
#[cfg(feature = "gpu")]
pub use backend::Gpu;
pub use backend::{Cpu, Device};
pub use batch::Batch;
pub use error::{Error, Result};
pub use kernel::{DynNtk, DynSession, Kernel, Matrix, Method, Ntk, Outputs, Progress};
pub use model::{Gradient, Jacobian, Model, Parameterisation, Sequential, Session};
pub use ops::Graph;
pub use real::Real;
pub use samples::{Reader, Samples, Subset};
pub use tape::{Parameter, ParameterInfo, Value};
pub use train::Loss;

/// The programs that the README shows.
#[cfg(all(doctest, feature = "rand"))]
#[doc = include_str!("../README.md")]
struct Readme;
