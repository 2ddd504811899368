//! Runs a kernel: options, plan, partition, and one schedule over K per pass.

use std::ops::Range;
use std::sync::OnceLock;

use super::contraction_plan::{Pair, contraction_plan};
use super::device_worker::DeviceWorker;
use super::manifest::Manifest;
use super::matrix::Kernel;
use super::method::Method;
use super::outputs::Layout;
use super::partition::Partition;
use super::plan::{Plan, plan};
use super::progress::Counter;
use super::rows::{self, Rows, selected_indices};
use super::schedule::{Axis, Job, Schedule, Source, steps};
use super::sink::{Dense, Frame, Sink};
use super::structured::{self, PanelContext};
use super::{Ntk, fingerprint, mlp};
use crate::backend::{ContractionPlan, Gram, Panels};
use crate::error::{Error, Result};
use crate::model::Session;
use crate::model::undefined::first_undefined;
use crate::ops::Op;
use crate::samples::Samples;

/// The source of the panels of one pass.
enum Pass {
    Factors,
    Recursion(mlp::PlainMlp),
    /// Jacobian rows of the selected parameters.
    Rows {
        rows: Rows,
        selected: Vec<bool>,
    },
}

/// The samples along the rows and, for K(X, Z), along the columns.
#[derive(Clone, Copy)]
pub(super) struct Data<'a, R: crate::Real> {
    pub x: &'a dyn Samples<R>,
    pub z: Option<&'a dyn Samples<R>>,
}

impl<R: crate::Real> Data<'_, R> {
    fn samples(&self) -> (usize, Option<usize>) {
        (self.x.samples(), self.z.map(|z| z.samples()))
    }
}

/// Computes K in memory.
pub(super) fn dense<B: Gram, O: Op>(ntk: &Ntk<'_, B, O>, data: Data<'_, B::Number>) -> Result<Kernel<B::Number>> {
    let mut sink = Dense::default();
    let manifest = in_pool(ntk, data, &mut sink, |_| Ok(()))?;
    sink.into_kernel(manifest)
}

/// Computes K into a sink.
pub(super) fn fill<B: Gram, O: Op, S: Sink<B::Number>>(
    ntk: &Ntk<'_, B, O>,
    data: Data<'_, B::Number>,
    sink: &mut S,
) -> Result<Manifest> {
    let refuse = |_: &mut S| Err(several_passes(ntk.method));
    in_pool(ntk, data, sink, refuse)
}

fn several_passes(method: Method) -> Error {
    Error::unsupported(format!(
        "method {method} fills the kernel once per parameter, and this sink can be filled only once; \
         use `Ntk::compute`, or another method"
    ))
}

fn in_pool<B: Gram, O: Op, S: Sink<B::Number>>(
    ntk: &Ntk<'_, B, O>,
    data: Data<'_, B::Number>,
    sink: &mut S,
    prepare_next_pass: impl Fn(&mut S) -> Result<()> + Send,
) -> Result<Manifest> {
    let result = match ntk.pool {
        Some(pool) => pool.install(|| run(ntk, data, sink, prepare_next_pass)),
        None => run(ntk, data, sink, prepare_next_pass),
    };
    result.map_err(|error| with_cause(ntk.session, data, error))
}

/// Adds the op and the sample to an error about a value that is not finite, if the network's output is not finite there.
fn with_cause<B: Gram, O: Op>(session: &Session<'_, B, O>, data: Data<'_, B::Number>, error: Error) -> Error {
    if !error.is_value() {
        return error;
    }
    // If samples cannot be read, that is the cause.
    let mut causes = std::iter::once(data.x).chain(data.z).filter_map(|x| first_undefined(session, x).ok()?);
    match causes.next() {
        Some(cause) => Error::value(format!("{error}: {cause}")),
        None => error,
    }
}

/// Fills `sink`. `prepare_next_pass` prepares it for a pass that adds to its total.
fn run<B: Gram, O: Op, S: Sink<B::Number>>(
    ntk: &Ntk<'_, B, O>,
    data: Data<'_, B::Number>,
    sink: &mut S,
    prepare_next_pass: impl Fn(&mut S) -> Result<()>,
) -> Result<Manifest> {
    let model = ntk.session.model();
    let layout = ntk.outputs.layout(model.outputs())?;
    for samples in std::iter::once(data.x).chain(data.z) {
        ntk.session.check(samples)?;
    }
    let selected = ntk.selected_parameters()?;
    let requirements = sink.requirements();
    if ntk.shard != (0, 1) && !requirements.shards {
        return Err(Error::unsupported(
            "shard: shards of a kernel need a sink on disk (`NpyFile`, `ZarrStore`), and this sink is in memory",
        ));
    }
    let plan = plan(ntk, data.samples(), requirements)?;
    let passes = passes(ntk, &selected)?;
    let helpers = ntk.session.arrays().helpers();
    let others = helpers.others.into_iter().map(|arrays| Session::new(model, arrays)).collect::<Result<Vec<_>>>()?;
    let last = helpers.last.map(|arrays| Session::new(model, arrays)).transpose()?;
    for samples in std::iter::once(data.x).chain(data.z) {
        independence_check(std::iter::once(ntk.session).chain(&others).chain(&last), samples)?;
    }
    let partition = Partition::new(data.samples(), plan.block, layout.outputs_per_sample, [plan.tall, plan.wide]);
    let manifest = Manifest::new(ntk, plan);
    let fingerprint =
        if requirements.fingerprint { fingerprint::fingerprint(ntk, data, &manifest)? } else { String::new() };
    let regions: Vec<usize> = shard_range(partition.regions.len(), ntk.shard).collect();
    let counter = Counter::new(passes.len() * steps(&partition, &regions, manifest.plan.is_resident()), ntk.progress);
    for (k, pass) in passes.iter().enumerate() {
        if k > 0 {
            prepare_next_pass(sink)?;
        }
        let pass_run = |session| PassRun {
            ntk,
            session,
            pass,
            data,
            layout: &layout,
            plan: &manifest.plan,
            selected: pass.flags(&selected),
            contraction_plan: OnceLock::new(),
        };
        let frame = frame(ntk, &partition, &layout, pass.flags(&selected), &fingerprint);
        sink.begin(&frame)?;
        let sources: Vec<_> = std::iter::once(ntk.session).chain(&others).map(pass_run).collect();
        let last = last.as_ref().map(pass_run);
        let job = Job {
            partition: &partition,
            frame: &frame,
            sink: &*sink,
            scale: layout.scale,
            chunk: manifest.plan.chunk,
            resident: manifest.plan.is_resident(),
            counter: &counter,
        };
        let device_workers = sources.iter().enumerate().map(|(k, source)| source.device_worker(k == 0)).collect();
        Schedule { job, device_workers, last: last.as_ref().map(|source| source.device_worker(false)) }.run()?;
        sink.end(&frame)?;
    }
    Ok(manifest)
}

/// Tests that samples are independent, on the first device that does not fail.
fn independence_check<'a, B: Gram + 'a, O: Op + 'a>(
    sessions: impl Iterator<Item = &'a Session<'a, B, O>>,
    samples: &dyn Samples<B::Number>,
) -> Result<()> {
    let mut result = Ok(());
    for session in sessions {
        result = session.independence_check(samples);
        if !result.as_ref().is_err_and(Error::is_device) {
            break;
        }
    }
    result
}

/// The i-th of n equal shards of `count` regions.
fn shard_range(count: usize, (i, n): (usize, usize)) -> Range<usize> {
    count * i / n..count * (i + 1) / n
}

fn frame<B: Gram, O: Op>(
    ntk: &Ntk<'_, B, O>,
    partition: &Partition,
    layout: &Layout,
    selected: &[bool],
    fingerprint: &str,
) -> Frame {
    let infos = ntk.session.model().parameters();
    let names = selected_indices(selected).map(|parameter| infos[parameter].name.clone());
    let components: Vec<String> = if ntk.components { names.collect() } else { Vec::new() };
    let [rows, cols] = partition.size();
    let regions = if rows > 0 && cols > 0 { partition.places() } else { Vec::new() };
    Frame {
        matrices: std::iter::once("total".to_string()).chain(components).collect(),
        blocks: layout.blocks,
        rows,
        cols,
        symmetric: partition.is_symmetric(),
        shard: shard_range(regions.len(), ntk.shard),
        regions,
        part: ntk.shard,
        fingerprint: fingerprint.to_string(),
    }
}

/// The passes over K: one for all parameters, or one per parameter.
fn passes<B: Gram, O: Op>(ntk: &Ntk<'_, B, O>, selected: &[bool]) -> Result<Vec<Pass>> {
    let together = |rows| vec![Pass::Rows { rows, selected: selected.to_vec() }];
    let one_by_one = |rows| {
        let only = |k| (0..selected.len()).map(|parameter| parameter == k).collect();
        let passes: Vec<Pass> = selected_indices(selected).map(|k| Pass::Rows { rows, selected: only(k) }).collect();
        if passes.is_empty() { together(rows) } else { passes }
    };
    Ok(match ntk.method {
        Method::Structured => vec![Pass::Factors],
        Method::ClosedForm => {
            ntk.refuse_metric_per_entry()?;
            vec![Pass::Recursion(mlp::plain_mlp(ntk.session)?)]
        }
        Method::FullJacobian => together(Rows::Batched),
        Method::Autograd => together(Rows::SampleBySample),
        Method::Layerwise => one_by_one(Rows::SampleBySample),
        Method::LayerwiseBatched => one_by_one(Rows::Batched),
        Method::ForwardMode => together(Rows::Forward),
    })
}

impl Pass {
    /// The parameters of this pass.
    fn flags<'a>(&'a self, selected: &'a [bool]) -> &'a [bool] {
        match self {
            Pass::Rows { selected, .. } => selected,
            _ => selected,
        }
    }
}

/// One pass on one device.
struct PassRun<'a, B: Gram, O: Op> {
    ntk: &'a Ntk<'a, B, O>,
    /// The model on this device.
    session: &'a Session<'a, B, O>,
    pass: &'a Pass,
    data: Data<'a, B::Number>,
    layout: &'a Layout,
    plan: &'a Plan,
    selected: &'a [bool],
    /// Known once the first panels are computed.
    contraction_plan: OnceLock<ContractionPlan>,
}

impl<B: Gram, O: Op> PassRun<'_, B, O> {
    fn device_worker(&self, counts: bool) -> DeviceWorker<'_, B> {
        let arrays = self.session.arrays();
        let workers = arrays.tile_config().workers;
        let waits = workers.is_some();
        DeviceWorker { arrays, source: self, workers: workers.unwrap_or_else(|| self.plan.workers()), waits, counts }
    }

    fn plan_contractions(&self, pairs: &[Pair]) -> ContractionPlan {
        let indices: Vec<usize> = selected_indices(self.selected).collect();
        let components = self.ntk.components;
        let position = |parameter: usize| indices.iter().position(|&index| index == parameter).unwrap_or(0);
        let accumulator = |parameter: usize| if components { position(parameter) } else { 0 };
        let accumulators = if components { indices.len().max(1) } else { 1 };
        // The recursion computes all parameters; those that are not selected are dropped here.
        let pairs: Vec<Pair> = pairs.iter().filter(|pair| self.selected[pair.parameter]).copied().collect();
        contraction_plan(&pairs, self.layout, &accumulator, accumulators)
    }
}

impl<B: Gram, O: Op> Source<B> for PassRun<'_, B, O> {
    fn panels(&self, axis: Axis, range: Range<usize>) -> Result<Panels<B::Tensor>> {
        let session = self.session;
        let metric = &self.ntk.metric[..];
        let x = match axis {
            Axis::Rows => self.data.x,
            Axis::Cols => self.data.z.expect("K(X, Z) has samples along its columns"),
        };
        let (panels, pairs) = match self.pass {
            Pass::Factors => {
                let samples = range.len();
                let tape = session.tape_of(x, range)?;
                let context = PanelContext {
                    layout: self.layout,
                    plan: self.plan,
                    selected: self.selected,
                    metric,
                    without_input_gram: &self.ntk.without_input_gram,
                };
                structured::panels(&tape, session.arrays(), samples, &context)?
            }
            Pass::Recursion(network) => {
                let inputs = session.upload(session.arrays(), x, range)?;
                mlp::panels(session.arrays(), session.parameters(), network, self.layout, metric, &inputs[0])
            }
            Pass::Rows { rows, selected } => rows::panels(session, *rows, self.layout, selected, metric, x, range)?,
        };
        self.contraction_plan.get_or_init(|| self.plan_contractions(&pairs));
        Ok(panels)
    }

    fn contraction_plan(&self) -> &ContractionPlan {
        self.contraction_plan.get().expect("panels are computed before their contractions are asked for")
    }
}
