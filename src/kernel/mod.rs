//! Kernels: from a session and samples to K, total and by component.
//!
//! [`Session::ntk`] starts one; [`Ntk`] holds the options. Every method ends in the same place: panels for blocks of
//! samples, a recipe that tells how a tile of K is put together from them, and one walk over the tiles of the upper
//! triangle. What differs is where the panels come from: factors (`structured`), the recursion of [`mlp`]
//! (`closed-structure`), or Jacobian rows (all others).
//!
//! # Numbers
//!
//! K(X, X) equals its transpose to the bit, and no bit depends on threads, units, budgets or shares. A product's sum runs
//! over k in one order, in the precision of the kernel, rounded once a step where the processor can. At N = 2,000 kernels in
//! `f32` differ from those in `f64` by 5.1e-7 for the paper's MLP and by 3.4e-6 for its MLP-h, in the Frobenius norm and
//! relative to it, and by 1.3e-6 and 8.4e-6 of the largest entry at worst; the smallest eigenvalues of all four are positive
//! (`benches/record.sh precision`).

mod choice;
mod constant;
mod contraction_plan;
mod device_worker;
mod diagonal;
mod fingerprint;
mod manifest;
mod matrix;
mod method;
pub mod mlp;
mod options;
mod outputs;
mod pack;
pub(crate) mod partition;
mod plan;
mod progress;
mod rows;
mod run;
mod schedule;
pub mod sink;
mod strategy;
mod structured;
mod verify;

pub use diagonal::Diagonal;
pub use manifest::Manifest;
pub use matrix::{Kernel, Matrix};
pub use method::Method;
pub use outputs::Outputs;
pub use plan::{Plan, PlannedParameter};
pub use progress::Progress;
pub use strategy::Strategy;
pub use verify::{FORWARD_MODE_ENTRIES, Verification, Verified, worst_difference};

pub use crate::backend::Rates;

#[cfg(feature = "onnx")]
pub(crate) use choice::fits;
pub(crate) use choice::matching;
pub(crate) use constant::{Constant, left};
pub(crate) use plan::pass_samples;

use crate::backend::Gram;
use crate::error::{Error, Result};
use crate::model::Session;
use crate::ops::Op;
use crate::samples::Samples;
use choice::Metric;
use progress::Callback;
use run::Data;
use sink::{Requirements, Sink};

/// A kernel that is asked for: the options, then [`compute`](Ntk::compute) or [`between`](Ntk::between).
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
/// // The read-out layer's component is the Gram of what comes in at it.
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
    /// Patterns of the parameters that the kernel is of; `None` for all.
    parameters: Option<Vec<String>>,
    /// One for every parameter of the model.
    metric: Vec<Metric>,
    /// Patterns of parameters and the ways that they must go.
    forced: Vec<(String, Strategy)>,
    /// One for every parameter: its left side's products are left out.
    without_input_gram: Vec<bool>,
    rates: Option<Rates>,
    budget: Option<u64>,
    shard: (usize, usize),
    pool: Option<&'s rayon::ThreadPool>,
    progress: Option<Callback<'s>>,
    /// The first thing that was wrong with an option.
    wrong: Option<Error>,
}

impl<B: Gram, O: Op> Session<'_, B, O> {
    /// The neural tangent kernel of the model, to be computed: by default the full kernel, structured, with the
    /// component of every parameter.
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
            wrong: None,
        }
    }
}

impl<'s, B: Gram, O: Op> Ntk<'s, B, O> {
    /// K(X, X). It equals its transpose to the bit, and is the same for any number of threads.
    ///
    /// # Errors
    /// Samples of other shapes than the model's inputs; a number that is NaN or infinite; samples that cannot be read; an
    /// option that fits nothing; a method that cannot do this model; samples that depend on each other; a budget that is
    /// too small; a derivative that is not finite; a cancelled run; a failed device.
    pub fn compute(&self, x: &dyn Samples<B::Number>) -> Result<Kernel<B::Number>> {
        run::dense(self, Data { x, z: None })
    }

    /// K(X, Z): rows belong to `x`, columns to `z`.
    ///
    /// # Errors
    /// As [`compute`](Ntk::compute).
    pub fn between(&self, x: &dyn Samples<B::Number>, z: &dyn Samples<B::Number>) -> Result<Kernel<B::Number>> {
        run::dense(self, Data { x, z: Some(z) })
    }

    /// K(X, X) into a sink: files, sums that store nothing, or a place of your own. See [`sink`].
    ///
    /// # Errors
    /// As [`compute`](Ntk::compute), or the sink failed. The methods that go parameter by parameter need a kernel in
    /// memory.
    pub fn fill<S: Sink<B::Number>>(&self, x: &dyn Samples<B::Number>, sink: &mut S) -> Result<Manifest> {
        run::fill(self, Data { x, z: None }, sink)
    }

    /// K(X, Z) into a sink.
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

    /// The plan of K(X, X), before anything is computed: how every parameter's part is contracted, what that costs in
    /// flops, bytes and predicted seconds, and the peak of memory. It prints as a table.
    ///
    /// ```
    /// use tangent_kernels::{Cpu, Sequential, Session, kernel::Strategy, unary::Tanh};
    /// let mut model = Sequential::ntk(&[784]).mlp_without_bias(&[50, 1], Tanh).build()?;
    /// # model.set("d1.weight", &[50, 784], vec![0.1; 50 * 784])?;
    /// # model.set("d2.weight", &[1, 50], vec![0.1; 50])?;
    /// let session = Session::new(&model, Cpu::<f32>::new())?;
    /// let plan = session.ntk().plan(10_000)?;
    /// assert_eq!(plan.parameters[0].way, Strategy::Hadamard);
    /// assert_eq!(plan.parameters[1].way, Strategy::ReadOut);
    /// println!("{plan}");
    /// # Ok::<(), tangent_kernels::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`compute`](Ntk::compute), but for what only numbers show.
    pub fn plan(&self, samples: usize) -> Result<Plan> {
        plan::plan(self, (samples, None), Requirements::dense::<B::Number>())
    }

    /// The plan of K(X, Z) for `rows` and `columns` samples.
    ///
    /// # Errors
    /// As [`plan`](Ntk::plan).
    pub fn plan_between(&self, rows: usize, columns: usize) -> Result<Plan> {
        plan::plan(self, (rows, Some(columns)), Requirements::dense::<B::Number>())
    }

    /// The diagonal of K(X, X) alone: the squared norm of every sample's gradient, total and by parameter, without
    /// anything of size N x N.
    ///
    /// # Errors
    /// As [`compute`](Ntk::compute).
    pub fn diagonal(&self, x: &dyn Samples<B::Number>) -> Result<Diagonal<B::Number>> {
        diagonal::diagonal(self, x)
    }
}
