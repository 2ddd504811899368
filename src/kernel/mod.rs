//! Kernels: from a session and samples to K, total and by component.
//!
//! [`Session::ntk`] starts one; [`Ntk`] holds the options. Every method ends in the same place: panels for blocks of
//! samples, a recipe that tells how a tile of K is put together from them, and one walk over the tiles of the upper
//! triangle. What differs is where the panels come from: factors (`structured`), the recursion of [`mlp`]
//! (`closed-form`), or Jacobian rows (all others).

mod disjoint;
mod matrix;
mod method;
pub mod mlp;
mod outputs;
mod pack;
mod progress;
mod recipe;
mod rows;
mod run;
mod structured;
mod tiles;
mod verify;

use std::ops::ControlFlow;

pub use matrix::{Kernel, Matrix};
pub use method::Method;
pub use outputs::Outputs;
pub use progress::Progress;
pub use verify::{Verification, Verified, worst_difference};

use crate::backend::Gram;
use crate::batch::Batch;
use crate::error::Result;
use crate::model::Session;
use crate::ops::Op;
use progress::Callback;

/// A kernel that is asked for: the options, then [`compute`](Ntk::compute) or [`between`](Ntk::between).
///
/// ```
/// use tangent_kernels::{Batch, Cpu, Outputs, Parameterisation, Sequential, Session, unary::Tanh};
///
/// let mut model = Sequential::mlp(&[1, 2, 1], Tanh, false, Parameterisation::Standard)?;
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
pub struct Ntk<'s, B: Gram, O: Op> {
    session: &'s Session<'s, B, O>,
    outputs: Outputs,
    method: Method,
    components: bool,
    progress: Option<Callback<'s>>,
}

impl<B: Gram, O: Op> Session<'_, B, O> {
    /// The neural tangent kernel of the model, to be computed: by default the full kernel, structured, with the
    /// component of every parameter.
    pub fn ntk(&self) -> Ntk<'_, B, O> {
        Ntk { session: self, outputs: Outputs::Full, method: Method::Structured, components: true, progress: None }
    }
}

impl<'s, B: Gram, O: Op> Ntk<'s, B, O> {
    /// What becomes of several outputs.
    pub fn outputs(mut self, outputs: Outputs) -> Self {
        self.outputs = outputs;
        self
    }

    /// How the kernel is computed.
    pub fn method(mut self, method: Method) -> Self {
        self.method = method;
        self
    }

    /// Whether every parameter's component is kept beside the total. Without, K is the only thing of size N x N that is
    /// held.
    pub fn components(mut self, keep: bool) -> Self {
        self.components = keep;
        self
    }

    /// Calls `callback` after every step, from worker threads. Where it breaks, the computation ends with an error
    /// whose [`is_cancelled`](crate::Error::is_cancelled) is true.
    pub fn progress(mut self, callback: &'s (dyn Fn(Progress) -> ControlFlow<()> + Sync)) -> Self {
        self.progress = Some(callback);
        self
    }

    /// K(X, X). It equals its transpose to the bit, and is the same for any number of threads.
    ///
    /// # Errors
    /// Samples of another shape than the model's input; a number that is NaN or infinite; an output that does not
    /// exist; a method that cannot do this model; a cancelled run; a failed device.
    pub fn compute(&self, x: &Batch<'_, B::Number>) -> Result<Kernel<B::Number>> {
        run::run(self, x, None)
    }

    /// K(X, Z): rows belong to `x`, columns to `z`.
    ///
    /// # Errors
    /// As [`compute`](Ntk::compute).
    pub fn between(&self, x: &Batch<'_, B::Number>, z: &Batch<'_, B::Number>) -> Result<Kernel<B::Number>> {
        run::run(self, x, Some(z))
    }
}
