//! Kernels: from a session and samples to K, total and by component.
//!
//! [`Session::ntk`] returns an [`Ntk`], which holds the options. All methods share the last steps: panels for blocks of
//! samples, a plan of contractions that computes a tile of K from them, and a schedule over the tiles of the upper
//! triangle. The methods differ in where panels come from: factors (`structured`), the recursion of [`mlp`]
//! (`closed-form`), or Jacobian rows (all others).
//!
//! # Numbers
//!
//! K(X, X) equals its transpose bit for bit. No bit depends on threads, regions, budgets or shards. The sum of a
//! product runs over k in one order, in the precision of the kernel, with fused multiply-adds if the processor has
//! them.
//!
//! The table compares kernels in `f32` with those in `f64` at N = 2,000 (`benches/record.sh precision`). The smallest
//! eigenvalues of all four kernels are positive.
//!
//! | network of the paper | relative Frobenius norm of the difference | largest difference / largest entry |
//! |---|---|---|
//! | MLP | 5.1e-7 | 1.3e-6 |
//! | MLP-h | 3.4e-6 | 8.4e-6 |

mod constant;
mod contraction_plan;
mod device_worker;
mod diagonal;
pub(crate) mod dyn_session;
mod fingerprint;
mod json;
mod manifest;
pub(crate) mod matrix;
pub(crate) mod method;
mod metric;
pub mod mlp;
mod options;
pub(crate) mod outputs;
mod pack;
pub(crate) mod partition;
mod plan;
pub(crate) mod progress;
mod rows;
mod run;
mod schedule;
pub mod sink;
mod strategy;
mod structured;
mod verify;

pub use diagonal::Diagonal;
pub use manifest::Manifest;
pub(crate) use matrix::{Kernel, Matrix};
pub(crate) use method::Method;
pub(crate) use outputs::Outputs;
pub use plan::{Plan, PlannedParameter};
pub(crate) use progress::Progress;
pub use strategy::Strategy;
pub use verify::{FORWARD_MODE_ENTRIES, Verification, Verified, worst_difference};

pub use crate::backend::Rates;

pub(crate) use constant::{Constant, input_operand};
pub(crate) use plan::pass_samples;

use crate::backend::Gram;
use crate::error::{Error, Result};
use crate::model::Session;
use crate::ops::Op;
use crate::samples::Samples;
use metric::Metric;
use progress::Callback;
use run::Data;
use sink::{Requirements, Sink};

/// The options of a kernel. Set them, then call [`compute`](Ntk::compute) or [`between`](Ntk::between).
///
/// ```
/// use tangent_kernels::{Batch, Cpu, Outputs, Sequential, Session, unary::Tanh};
///
/// let mut model = Sequential::standard(&[1]).mlp_without_bias(&[2, 1], Tanh).build()?;
/// model.set("d1.weight", &[2, 1], vec![0.5, -1.0])?;
/// model.set("d2.weight", &[1, 2], vec![2.0, 1.0])?;
/// let session = Session::new(&model, Cpu::<f64>::new())?;
/// let x = [0.3, -0.7, 1.1];
/// let kernel = session.ntk().compute(&Batch::new(&x, &[3, 1])?)?;
///
/// // The component of the read-out layer is the Gram matrix of its inputs.
/// let hidden = |x: f64| [(0.5 * x).tanh(), (-x).tanh()];
/// let (h, g) = (hidden(x[0]), hidden(x[1]));
/// let component = kernel.component("d2.weight")?;
/// assert!((component[(0, 1)] - (h[0] * g[0] + h[1] * g[1])).abs() < 1e-15);
/// # Ok::<(), tangent_kernels::Error>(())
/// ```
#[derive(Clone)]
pub struct Ntk<'s, B: Gram, O: Op> {
    session: &'s Session<'s, B, O>,
    outputs: Outputs,
    method: Method,
    components: bool,
    /// Patterns of the parameters to include; `None` includes all.
    parameters: Option<Vec<String>>,
    /// One entry per parameter of the model.
    metric: Vec<Metric>,
    /// Patterns of parameters and the strategies forced on them.
    forced: Vec<(String, Strategy)>,
    /// One flag per parameter: skip the products of its input operand.
    without_input_gram: Vec<bool>,
    rates: Option<Rates>,
    budget: Option<u64>,
    shard: (usize, usize),
    pool: Option<&'s rayon::ThreadPool>,
    progress: Option<Callback<'s>>,
    /// The first error of an option; the run returns it.
    option_error: Option<Error>,
}

impl<B: Gram, O: Op> Session<'_, B, O> {
    /// Starts a neural tangent kernel of the model. By default it is the full kernel by the structured method, with one
    /// component per parameter.
    pub fn ntk(&self) -> Ntk<'_, B, O> {
        Ntk {
            session: self,
            outputs: Outputs::Full,
            method: Method::Structured,
            components: true,
            parameters: None,
            metric: vec![Metric::One; self.model().parameters().len()],
            forced: Vec::new(),
            without_input_gram: vec![false; self.model().parameters().len()],
            rates: None,
            budget: None,
            shard: (0, 1),
            pool: None,
            progress: None,
            option_error: None,
        }
    }
}

impl<'s, B: Gram, O: Op> Ntk<'s, B, O> {
    /// Computes K(X, X). It equals its transpose bit for bit, and is the same for any number of threads.
    ///
    /// # Errors
    /// Returns an error if:
    ///
    /// - the shapes of the samples do not match the inputs of the model, a number is NaN or infinite, or reading fails;
    /// - an option is invalid, or the method does not support this model;
    /// - samples depend on each other, or a derivative is not finite;
    /// - the memory budget is too small, the caller cancels, or the device fails.
    pub fn compute(&self, x: &dyn Samples<B::Number>) -> Result<Kernel<B::Number>> {
        run::dense(self, Data { x, z: None })
    }

    /// Computes K(X, Z). Rows belong to `x`, columns to `z`.
    ///
    /// # Errors
    /// As [`compute`](Ntk::compute).
    pub fn between(&self, x: &dyn Samples<B::Number>, z: &dyn Samples<B::Number>) -> Result<Kernel<B::Number>> {
        run::dense(self, Data { x, z: Some(z) })
    }

    /// Computes K(X, X) into a sink: files, sums that store nothing, or a sink of your own. See [`sink`].
    ///
    /// # Errors
    /// As [`compute`](Ntk::compute), and if the sink fails. The layerwise methods need a kernel in memory.
    pub fn fill<S: Sink<B::Number>>(&self, x: &dyn Samples<B::Number>, sink: &mut S) -> Result<Manifest> {
        run::fill(self, Data { x, z: None }, sink)
    }

    /// Computes K(X, Z) into a sink.
    ///
    /// # Errors
    /// As [`fill`](Ntk::fill).
    pub fn fill_between<S: Sink<B::Number>>(
        &self,
        x: &dyn Samples<B::Number>,
        z: &dyn Samples<B::Number>,
        sink: &mut S,
    ) -> Result<Manifest> {
        run::fill(self, Data { x, z: Some(z) }, sink)
    }

    /// Plans K(X, X) without computing it. The plan says how the part of every parameter is contracted, its cost in
    /// flops, bytes and predicted seconds, and the peak memory. It prints as a table.
    ///
    /// ```
    /// use tangent_kernels::{Cpu, Sequential, Session, kernel::Strategy, unary::Tanh};
    /// let mut model = Sequential::ntk(&[784]).mlp_without_bias(&[50, 1], Tanh).build()?;
    /// # model.set("d1.weight", &[50, 784], vec![0.1; 50 * 784])?;
    /// # model.set("d2.weight", &[1, 50], vec![0.1; 50])?;
    /// let session = Session::new(&model, Cpu::<f32>::new())?;
    /// let plan = session.ntk().plan(10_000)?;
    /// assert_eq!(plan.parameters[0].strategy, Strategy::Hadamard);
    /// assert_eq!(plan.parameters[1].strategy, Strategy::ReadOut);
    /// println!("{plan}");
    /// # Ok::<(), tangent_kernels::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`compute`](Ntk::compute), except for errors that depend on the values of parameters and samples.
    pub fn plan(&self, samples: usize) -> Result<Plan> {
        plan::plan(self, (samples, None), Requirements::dense::<B::Number>())
    }

    /// Plans K(X, Z) for `rows` and `columns` samples.
    ///
    /// # Errors
    /// As [`plan`](Ntk::plan).
    pub fn plan_between(&self, rows: usize, columns: usize) -> Result<Plan> {
        plan::plan(self, (rows, Some(columns)), Requirements::dense::<B::Number>())
    }

    /// Computes the diagonal of K(X, X): the squared norm of every sample's gradient, total and per parameter. No N x N
    /// matrix is formed.
    ///
    /// # Errors
    /// As [`compute`](Ntk::compute).
    pub fn diagonal(&self, x: &dyn Samples<B::Number>) -> Result<Diagonal<B::Number>> {
        diagonal::diagonal(self, x)
    }
}
