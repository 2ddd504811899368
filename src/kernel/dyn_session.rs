//! Sessions without type parameters for the backend: all of a kernel's code is compiled with the library.
//!
//! A [`Session`] is generic over backends and ops, so every program compiles the way from a batch to a kernel again.
//! [`DynSession`] erases these types. A program that uses it compiles in seconds, also in release builds.

use std::ops::ControlFlow;

use super::verify::Verification;
use super::{Diagonal, Kernel, Method, Ntk, Outputs, Plan, Progress};
use crate::backend::{Cpu, Device, Gram};
use crate::error::{Error, Result};
use crate::model::{Model, Session};
use crate::ops::Op;
use crate::real::Real;
use crate::samples::Samples;

/// A model on a device, with the backend chosen at run time: the CPU in `f64`, or a [`Device`] in `f32`.
///
/// ```
/// use tangent_kernels::{Batch, DynSession, Outputs, Sequential, unary::Tanh};
///
/// let mut model = Sequential::standard(&[1]).mlp_without_bias(&[2, 1], Tanh).build()?;
/// model.set("d1.weight", &[2, 1], vec![0.5, -1.0])?;
/// model.set("d2.weight", &[1, 2], vec![2.0, 1.0])?;
/// let session = DynSession::f64(&model)?;
/// let x = Batch::new(&[0.3, -0.7, 1.1], &[3, 1])?;
/// let kernel = session.ntk().outputs(Outputs::TraceSum).threads(2).compute(&x)?;
/// for (name, matrix) in &kernel {
///     println!("{name}: trace {}", matrix.trace());
/// }
/// # assert_eq!(kernel.total().shape(), [1, 3, 3]);
/// # Ok::<(), tangent_kernels::Error>(())
/// ```
pub struct DynSession<'m, R: Real> {
    engine: Box<dyn Engine<R> + 'm>,
}

impl<'m> DynSession<'m, f64> {
    /// Uploads `model` to the CPU, in `f64`.
    ///
    /// # Errors
    /// Returns an error if a parameter or a buffer has no values.
    pub fn f64(model: &'m Model) -> Result<Self> {
        Ok(Session::new(model, Cpu::<f64>::new())?.into())
    }
}

impl<'m> DynSession<'m, f32> {
    /// Uploads `model` to `device`, in `f32`.
    ///
    /// # Errors
    /// Returns an error if a parameter or a buffer has no values, or a value that `f32` cannot hold.
    pub fn f32(model: &'m Model, device: Device) -> Result<Self> {
        Ok(Session::new(model, device)?.into())
    }
}

/// Erases the types of a session, also of one with a backend or ops of your own.
impl<'m, B: Gram + 'm, O: Op + 'm> From<Session<'m, B, O>> for DynSession<'m, B::Number> {
    fn from(session: Session<'m, B, O>) -> Self {
        DynSession { engine: Box::new(session) }
    }
}

impl<R: Real> DynSession<'_, R> {
    /// Starts a neural tangent kernel of the model. The defaults are those of [`Session::ntk`].
    pub fn ntk(&self) -> DynNtk<'_, R> {
        let options = Options { components: true, ..Options::default() };
        DynNtk { engine: &*self.engine, options }
    }
}

/// The options of a kernel of a [`DynSession`]. Each corresponds to the option of [`Ntk`] with the same name.
#[derive(Clone)]
pub struct DynNtk<'s, R: Real> {
    engine: &'s dyn Engine<R>,
    options: Options<'s>,
}

#[derive(Clone, Default)]
struct Options<'s> {
    outputs: Outputs,
    method: Method,
    components: bool,
    parameters: Option<Vec<String>>,
    budget: Option<u64>,
    threads: Option<usize>,
    progress: Option<&'s (dyn Fn(Progress) -> ControlFlow<()> + Sync)>,
}

impl<'s, R: Real> DynNtk<'s, R> {
    /// Sets how several outputs are combined. See [`Ntk::outputs`].
    pub fn outputs(mut self, outputs: Outputs) -> Self {
        self.options.outputs = outputs;
        self
    }

    /// Sets the method. See [`Ntk::method`].
    pub fn method(mut self, method: Method) -> Self {
        self.options.method = method;
        self
    }

    /// Sets whether the kernel keeps one component per parameter. See [`Ntk::components`].
    pub fn components(mut self, keep: bool) -> Self {
        self.options.components = keep;
        self
    }

    /// Restricts the kernel to the parameters that match one of the patterns. See [`Ntk::parameters`].
    pub fn parameters(mut self, patterns: &[&str]) -> Self {
        self.options.parameters = Some(patterns.iter().map(|pattern| pattern.to_string()).collect());
        self
    }

    /// Sets the memory budget in bytes. See [`Ntk::memory_budget`].
    pub fn memory_budget(mut self, bytes: u64) -> Self {
        self.options.budget = Some(bytes);
        self
    }

    /// Computes on this number of threads. The default is the pool of the caller, see [`Ntk::pool`].
    pub fn threads(mut self, threads: usize) -> Self {
        self.options.threads = Some(threads);
        self
    }

    /// Calls `callback` after every step. See [`Ntk::progress`].
    pub fn progress(mut self, callback: &'s (dyn Fn(Progress) -> ControlFlow<()> + Sync)) -> Self {
        self.options.progress = Some(callback);
        self
    }

    /// Computes K(X, X). See [`Ntk::compute`].
    ///
    /// # Errors
    /// As [`Ntk::compute`], or if the threads cannot be started.
    pub fn compute(&self, x: &dyn Samples<R>) -> Result<Kernel<R>> {
        self.engine.compute(&self.options, x, None)
    }

    /// Computes K(X, Z). See [`Ntk::between`].
    ///
    /// # Errors
    /// As [`compute`](DynNtk::compute).
    pub fn between(&self, x: &dyn Samples<R>, z: &dyn Samples<R>) -> Result<Kernel<R>> {
        self.engine.compute(&self.options, x, Some(z))
    }

    /// Computes the diagonal of K(X, X). See [`Ntk::diagonal`].
    ///
    /// # Errors
    /// As [`compute`](DynNtk::compute).
    pub fn diagonal(&self, x: &dyn Samples<R>) -> Result<Diagonal<R>> {
        self.engine.diagonal(&self.options, x)
    }

    /// Plans K(X, X) for `samples` samples. See [`Ntk::plan`].
    ///
    /// # Errors
    /// As [`Ntk::plan`].
    pub fn plan(&self, samples: usize) -> Result<Plan> {
        self.engine.plan(&self.options, samples, None)
    }

    /// Plans K(X, Z) for `rows` and `columns` samples. See [`Ntk::plan_between`].
    ///
    /// # Errors
    /// As [`Ntk::plan_between`].
    pub fn plan_between(&self, rows: usize, columns: usize) -> Result<Plan> {
        self.engine.plan(&self.options, rows, Some(columns))
    }

    /// Compares the kernel of `samples` samples of `x` with that of the other methods. See [`Ntk::verify`].
    ///
    /// # Errors
    /// As [`compute`](DynNtk::compute).
    pub fn verify(&self, x: &dyn Samples<R>, samples: usize) -> Result<Verification> {
        self.engine.verify(&self.options, x, samples)
    }
}

/// A session with its types erased.
trait Engine<R: Real>: Send + Sync {
    fn compute(&self, options: &Options<'_>, x: &dyn Samples<R>, z: Option<&dyn Samples<R>>) -> Result<Kernel<R>>;
    fn diagonal(&self, options: &Options<'_>, x: &dyn Samples<R>) -> Result<Diagonal<R>>;
    fn plan(&self, options: &Options<'_>, rows: usize, columns: Option<usize>) -> Result<Plan>;
    fn verify(&self, options: &Options<'_>, x: &dyn Samples<R>, samples: usize) -> Result<Verification>;
}

impl<B: Gram, O: Op> Engine<B::Number> for Session<'_, B, O> {
    fn compute(
        &self,
        options: &Options<'_>,
        x: &dyn Samples<B::Number>,
        z: Option<&dyn Samples<B::Number>>,
    ) -> Result<Kernel<B::Number>> {
        options.in_threads(|| match z {
            Some(z) => options.ntk(self).between(x, z),
            None => options.ntk(self).compute(x),
        })
    }

    fn diagonal(&self, options: &Options<'_>, x: &dyn Samples<B::Number>) -> Result<Diagonal<B::Number>> {
        options.in_threads(|| options.ntk(self).diagonal(x))
    }

    fn plan(&self, options: &Options<'_>, rows: usize, columns: Option<usize>) -> Result<Plan> {
        options.in_threads(|| match columns {
            Some(columns) => options.ntk(self).plan_between(rows, columns),
            None => options.ntk(self).plan(rows),
        })
    }

    fn verify(&self, options: &Options<'_>, x: &dyn Samples<B::Number>, samples: usize) -> Result<Verification> {
        options.in_threads(|| options.ntk(self).verify(x, samples))
    }
}

impl Options<'_> {
    fn ntk<'a, B: Gram, O: Op>(&'a self, session: &'a Session<'_, B, O>) -> Ntk<'a, B, O> {
        let mut ntk = session.ntk().outputs(self.outputs).method(self.method).components(self.components);
        if let Some(patterns) = &self.parameters {
            ntk = ntk.parameters(patterns);
        }
        if let Some(bytes) = self.budget {
            ntk = ntk.memory_budget(bytes);
        }
        if let Some(callback) = self.progress {
            ntk = ntk.progress(callback);
        }
        ntk
    }

    /// Runs `work` on the threads of the options, or on the calling thread's pool.
    fn in_threads<T: Send>(&self, work: impl FnOnce() -> Result<T> + Send) -> Result<T> {
        let Some(threads) = self.threads else { return work() };
        if threads == 0 {
            return Err(Error::value("threads: the number of threads must be at least 1, got 0"));
        }
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
        pool.map_err(|error| Error::value(format!("threads: {threads} threads cannot be started: {error}")))?
            .install(work)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::batch::Batch;
    use crate::model::Sequential;
    use crate::unary::Tanh;

    fn model() -> Model {
        let mut model = Sequential::standard(&[3]).mlp(&[7, 5, 2], Tanh).build().unwrap();
        for info in model.parameters().to_vec() {
            let values = (0..info.shape.iter().product::<usize>()).map(|k| (k as f64 * 0.7 + 0.2).sin());
            model.set(&info.name, &info.shape, values.collect()).unwrap();
        }
        model
    }

    /// `count` samples of three numbers.
    fn numbers<R: Real>(count: usize, phase: f64) -> Vec<R> {
        (0..count * 3).map(|k| R::from_f64((k as f64 * 1.3 + phase).cos())).collect()
    }

    /// The options of one comparison, set on either door.
    macro_rules! with_options {
        ($ntk:expr, $case:expr) => {
            match $case {
                0 => $ntk,
                1 => $ntk.outputs(Outputs::TraceMean).components(false),
                2 => $ntk.outputs(Outputs::PerOutput).parameters(&["d1.*", "*.bias"]),
                3 => $ntk.method(Method::LayerwiseBatched),
                _ => $ntk.outputs(Outputs::Output(1)).memory_budget(16 << 20),
            }
        };
    }

    fn compare<B: Gram>(dynamic: &DynSession<'_, B::Number>, generic: &Session<'_, B>) {
        let (x, z) = (numbers::<B::Number>(40, 0.0), numbers::<B::Number>(23, 0.5));
        let x = Batch::new(&x, &[40, 3]).unwrap();
        let z = Batch::new(&z, &[23, 3]).unwrap();
        for case in 0..5 {
            let by_dynamic = with_options!(dynamic.ntk(), case);
            let by_generic = with_options!(generic.ntk(), case);
            let matrices = |kernel: Kernel<B::Number>| (kernel.total, kernel.components);
            for threads in [1, 3] {
                let by_dynamic = by_dynamic.clone().threads(threads);
                let kernel = by_dynamic.compute(&x).unwrap();
                assert_eq!(matrices(kernel), matrices(by_generic.compute(&x).unwrap()), "case {case}");
                let kernel = by_dynamic.between(&x, &z).unwrap();
                assert_eq!(matrices(kernel), matrices(by_generic.between(&x, &z).unwrap()), "case {case}");
                assert_eq!(by_dynamic.diagonal(&x).unwrap(), by_generic.diagonal(&x).unwrap(), "case {case}");
            }
            // A budget is too small for 1000 samples in memory; both doors return the same error.
            let text = |plan: Result<Plan>| plan.map_err(|error| error.to_string());
            assert_eq!(text(by_dynamic.plan(1000)), text(by_generic.plan(1000)), "case {case}");
            let plan = by_dynamic.plan_between(1000, 10);
            assert_eq!(text(plan), text(by_generic.plan_between(1000, 10)), "case {case}");
        }
        assert_eq!(dynamic.ntk().verify(&x, 4).unwrap(), generic.ntk().verify(&x, 4).unwrap());
        let errors = [
            dynamic.ntk().outputs(Outputs::Output(2)).compute(&x).unwrap_err(),
            dynamic.ntk().parameters(&["d9"]).diagonal(&x).unwrap_err(),
            dynamic.ntk().threads(0).compute(&x).unwrap_err(),
        ];
        assert!(errors[0].is_value() && errors[1].is_name() && errors[2].is_value(), "{errors:?}");
    }

    #[test]
    fn kernels_in_f64_equal_those_of_a_generic_session_bit_for_bit() {
        let model = model();
        compare(&DynSession::f64(&model).unwrap(), &Session::new(&model, Cpu::<f64>::new()).unwrap());
    }

    #[test]
    fn kernels_in_f32_equal_those_of_a_generic_session_bit_for_bit() {
        let model = model();
        compare(&DynSession::f32(&model, Device::cpu()).unwrap(), &Session::new(&model, Cpu::<f32>::new()).unwrap());
    }

    #[test]
    fn the_callback_cancels() {
        let model = model();
        let session = DynSession::f64(&model).unwrap();
        let x = numbers::<f64>(40, 0.0);
        let stop = |_: Progress| ControlFlow::Break(());
        let error = session.ntk().progress(&stop).compute(&Batch::new(&x, &[40, 3]).unwrap()).unwrap_err();
        assert!(error.is_cancelled(), "{error}");
    }
}
