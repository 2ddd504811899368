//! The options of a kernel.

use std::ops::ControlFlow;

use super::choice::{Metric, matching};
use super::plan::Cost;
use super::progress::Progress;
use super::{Method, Ntk, Outputs, Strategy};
use crate::backend::{Gram, Rates};
use crate::error::{Error, Result};
use crate::ops::Op;

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

    /// The kernel of some parameters only: those whose names fit one of the patterns, `*` standing for any letters. The
    /// others have no component, and their gradients are not computed.
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

    /// K = J M J^T where M is `weight` for all entries of the parameters that fit `pattern`: a learning rate, say. It costs
    /// nothing. Of several weights for one parameter the last counts.
    pub fn metric(self, pattern: &str, weight: f64) -> Self {
        self.with_metric(pattern, Metric::Uniform(weight))
    }

    /// K = J M J^T where M is diagonal, with a weight for every entry of the parameters that fit `pattern`, row-major: a
    /// preconditioner or a prior. Their gradients are multiplied out, which the plan prices.
    pub fn metric_diagonal(self, pattern: &str, weights: Vec<f64>) -> Self {
        self.with_metric(pattern, Metric::Elements(weights))
    }

    /// As [`metric_diagonal`](Ntk::metric_diagonal), where the weight of entry (o, i) is out\[o\] input\[i\], o being the parameter's first
    /// axis and i all others: cheap, since the sides of gradients are scaled.
    pub fn metric_rank_one(self, pattern: &str, out: Vec<f64>, input: Vec<f64>) -> Self {
        self.with_metric(pattern, Metric::RankOne { out, input })
    }

    /// Makes the parameters that fit `pattern` go one way, whatever it costs; to compare ways with each other. A parameter
    /// whose uses do not allow it goes its cheapest way, but if none does, that is an error.
    pub fn force(mut self, pattern: &str, strategy: Strategy) -> Self {
        self.forced.push((pattern.to_string(), strategy));
        self
    }

    /// The rates that ways are chosen with, instead of the shipped ones.
    pub fn rates(mut self, rates: Rates) -> Self {
        self.rates = Some(rates);
        self
    }

    /// The most bytes that may be used: by parameters, K where it is in memory, factors, tiles and samples in flight. Blocks
    /// are then cut to fit, factors that do not fit are computed again where they are needed, and if that is not enough
    /// ways are chosen that hold less; fewer threads work if there is no room for all. A kernel that cannot fit is refused
    /// before anything is computed, with what it would need. [`plan`](Ntk::plan) tells what is held and what is
    /// computed again. The caller's samples are not counted.
    pub fn memory_budget(mut self, bytes: u64) -> Self {
        self.budget = Some(bytes);
        self
    }

    /// Computes only the `part`-th of `parts` even shares of K, counted from 0, into files that all shares have in common:
    /// so any scheduler's job array fills one kernel from many processes or machines. For sinks on disk.
    pub fn shard(mut self, part: usize, parts: usize) -> Self {
        if part >= parts {
            let last = parts.saturating_sub(1);
            let numbers =
                if parts == 0 { "there is none".to_string() } else { format!("they are numbered 0 to {last}") };
            let error = Error::value(format!("share {part} of {parts}: {numbers}"));
            self.wrong.get_or_insert(error);
        } else {
            self.shard = (part, parts);
        }
        self
    }

    /// The threads that compute: those of `pool`. Without, those of the pool that the caller is in, and only if it is in
    /// none, rayon's global one.
    pub fn pool(mut self, pool: &'s rayon::ThreadPool) -> Self {
        self.pool = Some(pool);
        self
    }

    /// Calls `callback` after every step, from worker threads. Where it breaks, the computation ends with an error
    /// whose [`is_cancelled`](crate::Error::is_cancelled) is true.
    pub fn progress(mut self, callback: &'s (dyn Fn(Progress) -> ControlFlow<()> + Sync)) -> Self {
        self.progress = Some(callback);
        self
    }

    fn with_metric(mut self, pattern: &str, metric: Metric) -> Self {
        let infos = self.session.model().parameters();
        let checked = matching(infos, &[pattern]).and_then(|flags| {
            for (k, info) in infos.iter().enumerate().filter(|(k, _)| flags[*k]) {
                metric.check(info)?;
                self.metric[k] = metric.clone();
            }
            Ok(())
        });
        if let Err(error) = checked {
            self.wrong.get_or_insert(error);
        }
        self
    }

    /// The parameters that the kernel is of.
    ///
    /// # Errors
    /// A pattern fits none, or another option was wrong.
    pub(super) fn wanted(&self) -> Result<Vec<bool>> {
        if let Some(error) = &self.wrong {
            return Err(error.clone());
        }
        let infos = self.session.model().parameters();
        match &self.parameters {
            Some(patterns) => matching(infos, patterns),
            None => Ok(vec![true; infos.len()]),
        }
    }

    /// Which of the candidates of a parameter it must take, if one of them is forced.
    pub(super) fn forced(&self, parameter: usize, candidates: &[(Strategy, Cost)]) -> Option<usize> {
        let infos = &self.session.model().parameters()[parameter..=parameter];
        let own = self.forced.iter().rev().filter(|(pattern, _)| matching(infos, &[pattern]).is_ok());
        own.filter_map(|(_, strategy)| candidates.iter().position(|(own, _)| own == strategy)).next()
    }

    /// # Errors
    /// A way was forced that no parameter of its pattern goes.
    pub(super) fn check_forced(&self, taken: &[(usize, Strategy)]) -> Result<()> {
        let infos = self.session.model().parameters();
        for (pattern, strategy) in &self.forced {
            let flags = matching(infos, &[pattern])?;
            if !taken.iter().any(|(parameter, own)| flags[*parameter] && own == strategy) {
                return Err(Error::unsupported(format!(
                    "no parameter that fits '{pattern}' can use the strategy '{strategy}'"
                )));
            }
        }
        Ok(())
    }

    /// # Errors
    /// A metric is not one number a parameter, which the recursion needs.
    pub(super) fn refuse_metric_per_entry(&self) -> Result<()> {
        if self.metric.iter().any(|metric| !matches!(metric, Metric::One | Metric::Uniform(_))) {
            return Err(Error::unsupported("closed-form: weights of single entries; use structured"));
        }
        Ok(())
    }
}
