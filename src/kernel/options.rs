//! The options of a kernel.

use std::ops::ControlFlow;

use super::metric::Metric;
use super::plan::Cost;
use super::progress::Progress;
use super::{Method, Ntk, Outputs, Strategy};
use crate::backend::{Gram, Rates};
use crate::error::{Error, Result};
use crate::ops::Op;
use crate::pattern::matching;
use crate::tape::ParameterInfo;

impl<'s, B: Gram, O: Op> Ntk<'s, B, O> {
    /// Sets how several outputs are combined. The default is the full kernel.
    pub fn outputs(mut self, outputs: Outputs) -> Self {
        self.outputs = outputs;
        self
    }

    /// Sets the method. The default is structured.
    pub fn method(mut self, method: Method) -> Self {
        self.method = method;
        self
    }

    /// Sets whether the kernel keeps one component per parameter in addition to the total. The default is true. Without
    /// components, the total is the only N x N matrix in memory.
    pub fn components(mut self, keep: bool) -> Self {
        self.components = keep;
        self
    }

    /// Restricts the kernel to the parameters whose names match one of the patterns; `*` matches any characters. The
    /// other parameters have no component, and their gradients are not computed.
    ///
    /// ```
    /// # use tangent_kernels::{Batch, Cpu, Sequential, Session};
    /// # let mut model = Sequential::standard(&[2]).linear("d1", 3).tanh().linear("d2", 1).build()?;
    /// # for info in model.parameters().to_vec() {
    /// #     let size = info.shape.iter().product();
    /// #     model.set(&info.name, &info.shape, (0..size).map(|k| k as f64).collect())?;
    /// # }
    /// # let session = Session::new(&model, Cpu::<f64>::new())?;
    /// # let x = Batch::new(&[0.1, 0.2, 0.3, 0.4], &[2, 2])?;
    /// let kernel = session.ntk().parameters(&["*.weight"]).compute(&x)?;
    /// assert_eq!(kernel.components().len(), 2);
    /// # Ok::<(), tangent_kernels::Error>(())
    /// ```
    pub fn parameters<S: AsRef<str>>(mut self, patterns: &[S]) -> Self {
        self.parameters = Some(patterns.iter().map(|pattern| pattern.as_ref().to_string()).collect());
        self
    }

    /// Computes K = J M J^T, where M is `weight` for all entries of the parameters that match `pattern`, for example a
    /// learning rate. It is free of cost. The last metric of a parameter counts.
    pub fn metric(self, pattern: &str, weight: f64) -> Self {
        self.with_metric(pattern, Metric::Uniform(weight))
    }

    /// Computes K = J M J^T, where M is diagonal with one weight per entry of the parameters that match `pattern`,
    /// row-major, for example a preconditioner or a prior. The gradients of these parameters are materialised, which
    /// the plan prices.
    pub fn metric_diagonal(self, pattern: &str, weights: Vec<f64>) -> Self {
        self.with_metric(pattern, Metric::Elements(weights))
    }

    /// As [`metric_diagonal`](Ntk::metric_diagonal), with the weight `out[o] input[i]` for entry (o, i). Index o runs
    /// over the parameter's first axis and i over all others. It is cheap: the operands of gradients are scaled.
    pub fn metric_rank_one(self, pattern: &str, out: Vec<f64>, input: Vec<f64>) -> Self {
        self.with_metric(pattern, Metric::RankOne { out, input })
    }

    /// Forces a strategy on the parameters that match `pattern`, even if it is expensive. It serves comparisons. A
    /// parameter whose uses do not allow it takes its cheapest strategy. If no parameter allows it, the run returns an
    /// error.
    pub fn force(mut self, pattern: &str, strategy: Strategy) -> Self {
        self.forced.push((pattern.to_string(), strategy));
        self
    }

    /// Sets the rates that strategies are chosen with. The default is the rates of the backend.
    pub fn rates(mut self, rates: Rates) -> Self {
        self.rates = Some(rates);
        self
    }

    /// Sets the memory budget in bytes. It covers parameters, K if it is in memory, factors, tiles and forward passes,
    /// but not the caller's samples.
    ///
    /// To fit the budget, the plan uses smaller blocks and computes factors again instead of keeping them. If that is
    /// not enough, it takes strategies that need less memory, and then fewer threads. If the kernel cannot fit, the run
    /// returns an error with the bytes that it needs, before anything is computed. [`plan`](Ntk::plan) shows the
    /// result.
    pub fn memory_budget(mut self, bytes: u64) -> Self {
        self.budget = Some(bytes);
        self
    }

    /// Computes only shard `part` of `parts` equal shards of K, counted from 0. All shards share the files of one sink
    /// on disk, so that a job array fills one kernel from several processes or machines.
    pub fn shard(mut self, part: usize, parts: usize) -> Self {
        if part >= parts {
            let error = Error::value(format!(
                "shard: the number of a shard must be less than the number of shards, got shard {part} of {parts}"
            ));
            self.option_error.get_or_insert(error);
        } else {
            self.shard = (part, parts);
        }
        self
    }

    /// Computes on the threads of `pool`. The default is the pool of the caller, or rayon's global one.
    pub fn pool(mut self, pool: &'s rayon::ThreadPool) -> Self {
        self.pool = Some(pool);
        self
    }

    /// Calls `callback` after every step, from worker threads. If it returns `Break`, the run ends with an error whose
    /// [`is_cancelled`](crate::Error::is_cancelled) is true.
    pub fn progress(mut self, callback: &'s (dyn Fn(Progress) -> ControlFlow<()> + Sync)) -> Self {
        self.progress = Some(callback);
        self
    }

    fn with_metric(mut self, pattern: &str, metric: Metric) -> Self {
        let infos = self.session.model().parameters();
        if let Err(error) = set_metric(&mut self.metric, infos, pattern, &metric) {
            self.option_error.get_or_insert(error);
        }
        self
    }

    /// Flags the parameters that the kernel includes.
    ///
    /// # Errors
    /// Returns an error if a pattern matches no parameter, or if another option was invalid.
    pub(super) fn selected_parameters(&self) -> Result<Vec<bool>> {
        if let Some(error) = &self.option_error {
            return Err(error.clone());
        }
        let infos = self.session.model().parameters();
        match &self.parameters {
            Some(patterns) => matching(infos, patterns),
            None => Ok(vec![true; infos.len()]),
        }
    }

    /// The candidate that is forced on a parameter, if there is one.
    pub(super) fn forced(&self, parameter: usize, candidates: &[(Strategy, Cost)]) -> Option<usize> {
        let infos = &self.session.model().parameters()[parameter..=parameter];
        let forced = self.forced.iter().rev().filter(|(pattern, _)| matching(infos, &[pattern]).is_ok());
        forced.filter_map(|(_, strategy)| candidates.iter().position(|(candidate, _)| candidate == strategy)).next()
    }

    /// # Errors
    /// Returns an error if no parameter of a pattern takes the strategy that was forced on it.
    pub(super) fn check_forced(&self, taken: &[(usize, Strategy)]) -> Result<()> {
        let infos = self.session.model().parameters();
        for (pattern, strategy) in &self.forced {
            let flags = matching(infos, &[pattern])?;
            if !taken.iter().any(|(parameter, chosen)| flags[*parameter] && chosen == strategy) {
                return Err(Error::unsupported(format!(
                    "force: no parameter that matches '{pattern}' can use the strategy '{strategy}'"
                )));
            }
        }
        Ok(())
    }

    /// # Errors
    /// Returns an error if a metric is not one number per parameter, as the recursion needs.
    pub(super) fn refuse_metric_per_entry(&self) -> Result<()> {
        if self.metric.iter().any(|metric| !matches!(metric, Metric::One | Metric::Uniform(_))) {
            return Err(Error::unsupported(
                "closed-form: a metric per entry is not supported; use the method structured",
            ));
        }
        Ok(())
    }
}

/// Sets the metric of the parameters that match `pattern`.
fn set_metric(metrics: &mut [Metric], infos: &[ParameterInfo], pattern: &str, metric: &Metric) -> Result<()> {
    let flags = matching(infos, &[pattern])?;
    for (k, info) in infos.iter().enumerate().filter(|(k, _)| flags[*k]) {
        metric.check(info)?;
        metrics[k] = metric.clone();
    }
    Ok(())
}
