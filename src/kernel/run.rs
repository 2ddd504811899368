//! From options to a sink: the plan, the cut, and one walk over K for each pass.

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
use super::rows::{self, Rows};
use super::schedule::{Job, Schedule, Side, Source, steps};
use super::sink::{Dense, Frame, Sink};
use super::structured::{self, Making};
use super::{Ntk, fingerprint, mlp};
use crate::backend::{ContractionPlan, Gram, Panels};
use crate::error::{Error, Result};
use crate::model::Session;
use crate::model::undefined::first_undefined;
use crate::ops::Op;
use crate::samples::Samples;

/// Where panels come from in one pass.
enum Pass {
    Factors,
    Recursion(mlp::Plain),
    /// Jacobian rows of the parameters that are flagged.
    Rows {
        rows: Rows,
        wanted: Vec<bool>,
    },
}

/// The samples along the rows, and along the columns if those are others.
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

/// K in memory.
pub(super) fn dense<B: Gram, O: Op>(ntk: &Ntk<'_, B, O>, data: Data<'_, B::Number>) -> Result<Kernel<B::Number>> {
    let mut sink = Dense::default();
    let manifest = in_pool(ntk, data, &mut sink, |_| Ok(()))?;
    sink.into_kernel(manifest)
}

/// K into a sink.
pub(super) fn fill<B: Gram, O: Op, S: Sink<B::Number>>(
    ntk: &Ntk<'_, B, O>,
    data: Data<'_, B::Number>,
    sink: &mut S,
) -> Result<Manifest> {
    let once = |_: &mut S| {
        Err(Error::unsupported(format!(
            "{} goes through the kernel once for every parameter, which only a kernel in memory can take",
            ntk.method
        )))
    };
    in_pool(ntk, data, sink, once)
}

fn in_pool<B: Gram, O: Op, S: Sink<B::Number>>(
    ntk: &Ntk<'_, B, O>,
    data: Data<'_, B::Number>,
    sink: &mut S,
    again: impl Fn(&mut S) -> Result<()> + Send,
) -> Result<Manifest> {
    let result = match ntk.pool {
        Some(pool) => pool.install(|| run(ntk, data, sink, again)),
        None => run(ntk, data, sink, again),
    };
    result.map_err(|error| explained(ntk.session, data, error))
}

/// An error about a value that is not finite, with the op and the sample where the network has none, if that is the cause.
fn explained<B: Gram, O: Op>(session: &Session<'_, B, O>, data: Data<'_, B::Number>, error: Error) -> Error {
    if !error.is_value() {
        return error;
    }
    // Samples that cannot be read are the cause themselves.
    let mut causes = std::iter::once(data.x).chain(data.z).filter_map(|x| first_undefined(session, x).ok()?);
    match causes.next() {
        Some(cause) => Error::value(format!("{error}: {cause}")),
        None => error,
    }
}

/// Fills `sink`; `again` makes it ready for another pass that adds to its total.
fn run<B: Gram, O: Op, S: Sink<B::Number>>(
    ntk: &Ntk<'_, B, O>,
    data: Data<'_, B::Number>,
    sink: &mut S,
    again: impl Fn(&mut S) -> Result<()>,
) -> Result<Manifest> {
    let model = ntk.session.model();
    let layout = ntk.outputs.layout(model.outputs())?;
    for samples in std::iter::once(data.x).chain(data.z) {
        ntk.session.check(samples)?;
    }
    let wanted = ntk.wanted()?;
    let requirements = sink.requirements();
    if ntk.shard != (0, 1) && !requirements.shards {
        return Err(Error::unsupported(
            "a share of a kernel goes to files, where other shares meet it; this goes elsewhere",
        ));
    }
    let plan = plan(ntk, data.samples(), requirements)?;
    let passes = passes(ntk, &wanted)?;
    let helpers = ntk.session.arrays().helpers();
    let others = helpers.others.into_iter().map(|arrays| Session::new(model, arrays)).collect::<Result<Vec<_>>>()?;
    let last = helpers.last.map(|arrays| Session::new(model, arrays)).transpose()?;
    for samples in std::iter::once(data.x).chain(data.z) {
        independence_check(std::iter::once(ntk.session).chain(&others).chain(&last), samples)?;
    }
    let partition = Partition::new(data.samples(), plan.block, layout.outputs_per_sample, [plan.tall, plan.wide]);
    let manifest = Manifest::of(ntk, plan);
    let fingerprint = if requirements.fingerprint { fingerprint::of(ntk, data, &manifest)? } else { String::new() };
    let regions: Vec<usize> = part(partition.regions.len(), ntk.shard).collect();
    let counter = Counter::new(passes.len() * steps(&partition, &regions, manifest.plan.is_held()), ntk.progress);
    for (k, pass) in passes.iter().enumerate() {
        if k > 0 {
            again(sink)?;
        }
        let running = |session| Running {
            ntk,
            session,
            pass,
            data,
            layout: &layout,
            plan: &manifest.plan,
            wanted: pass.flags(&wanted),
            contraction_plan: OnceLock::new(),
        };
        let frame = frame(ntk, &partition, &layout, pass.flags(&wanted), &fingerprint);
        sink.begin(&frame)?;
        let sources: Vec<_> = std::iter::once(ntk.session).chain(&others).map(running).collect();
        let last = last.as_ref().map(running);
        let job = Job {
            partition: &partition,
            frame: &frame,
            sink: &*sink,
            scale: layout.scale,
            chunk: manifest.plan.chunk,
            resident: manifest.plan.is_held(),
            counter: &counter,
        };
        let device_workers = sources.iter().enumerate().map(|(k, source)| source.device_worker(k == 0)).collect();
        Schedule { job, device_workers, last: last.as_ref().map(|source| source.device_worker(false)) }.run()?;
        sink.end(&frame)?;
    }
    Ok(manifest)
}

/// Looks whether samples are independent, on the first device that does not fail.
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

/// The i-th of n even parts of `count` things.
fn part(count: usize, (i, n): (usize, usize)) -> Range<usize> {
    count * i / n..count * (i + 1) / n
}

fn frame<B: Gram, O: Op>(
    ntk: &Ntk<'_, B, O>,
    partition: &Partition,
    layout: &Layout,
    wanted: &[bool],
    fingerprint: &str,
) -> Frame {
    let infos = ntk.session.model().parameters();
    let names = rows::chosen(wanted).map(|parameter| infos[parameter].name.clone());
    let components: Vec<String> = if ntk.components { names.collect() } else { Vec::new() };
    let [rows, cols] = partition.size();
    let regions = if rows > 0 && cols > 0 { partition.places() } else { Vec::new() };
    Frame {
        matrices: std::iter::once("total".to_string()).chain(components).collect(),
        blocks: layout.blocks,
        rows,
        cols,
        symmetric: partition.is_symmetric(),
        shard: part(regions.len(), ntk.shard),
        regions,
        part: ntk.shard,
        fingerprint: fingerprint.to_string(),
    }
}

/// What each walk over K is for: one for everything, or one for each parameter.
fn passes<B: Gram, O: Op>(ntk: &Ntk<'_, B, O>, wanted: &[bool]) -> Result<Vec<Pass>> {
    let together = |rows| vec![Pass::Rows { rows, wanted: wanted.to_vec() }];
    let one_by_one = |rows| {
        let only = |k| (0..wanted.len()).map(|own| own == k).collect();
        let passes: Vec<Pass> = rows::chosen(wanted).map(|k| Pass::Rows { rows, wanted: only(k) }).collect();
        if passes.is_empty() { together(rows) } else { passes }
    };
    Ok(match ntk.method {
        Method::Structured => vec![Pass::Factors],
        Method::ClosedForm => {
            ntk.refuse_metric_per_entry()?;
            vec![Pass::Recursion(mlp::plain(ntk.session)?)]
        }
        Method::FullJacobian => together(Rows::Batched),
        Method::Autograd => together(Rows::SampleBySample),
        Method::Layerwise => one_by_one(Rows::SampleBySample),
        Method::LayerwiseBatched => one_by_one(Rows::Batched),
        Method::ForwardMode => together(Rows::Forward),
    })
}

impl Pass {
    /// The parameters that it is for.
    fn flags<'a>(&'a self, wanted: &'a [bool]) -> &'a [bool] {
        match self {
            Pass::Rows { wanted, .. } => wanted,
            _ => wanted,
        }
    }
}

/// One pass on its way.
struct Running<'a, B: Gram, O: Op> {
    ntk: &'a Ntk<'a, B, O>,
    /// The model on the device that this is for.
    session: &'a Session<'a, B, O>,
    pass: &'a Pass,
    data: Data<'a, B::Number>,
    layout: &'a Layout,
    plan: &'a Plan,
    wanted: &'a [bool],
    /// What the first panels told.
    contraction_plan: OnceLock<ContractionPlan>,
}

impl<B: Gram, O: Op> Running<'_, B, O> {
    fn device_worker(&self, counts: bool) -> DeviceWorker<'_, B> {
        let arrays = self.session.arrays();
        let workers = arrays.tile_config().workers;
        let waits = workers.is_some();
        DeviceWorker { arrays, source: self, workers: workers.unwrap_or_else(|| self.plan.workers()), waits, counts }
    }

    fn recipe_of(&self, pairs: &[Pair]) -> ContractionPlan {
        let list: Vec<usize> = rows::chosen(self.wanted).collect();
        let components = self.ntk.components;
        let own_slot = |parameter: usize| list.iter().position(|&chosen| chosen == parameter).unwrap_or(0);
        let accumulator = |parameter: usize| if components { own_slot(parameter) } else { 0 };
        let accumulators = if components { list.len().max(1) } else { 1 };
        // The recursion knows all parameters; those that are not wanted are left out here.
        let pairs: Vec<Pair> = pairs.iter().filter(|pair| self.wanted[pair.parameter]).copied().collect();
        contraction_plan(&pairs, self.layout, &accumulator, accumulators)
    }
}

impl<B: Gram, O: Op> Source<B> for Running<'_, B, O> {
    fn panels(&self, side: Side, range: Range<usize>) -> Result<Panels<B::Tensor>> {
        let (session, metric) = (self.session, &self.ntk.metric[..]);
        let x = match side {
            Side::Rows => self.data.x,
            Side::Cols => self.data.z.expect("columns have samples of their own"),
        };
        let (panels, pairs) = match self.pass {
            Pass::Factors => {
                let samples = range.len();
                let tape = session.tape_of(x, range)?;
                let (layout, plan, wanted) = (self.layout, self.plan, self.wanted);
                let making = Making { layout, plan, wanted, metric, without_input_gram: &self.ntk.without_input_gram };
                structured::panels(&tape, session.arrays(), samples, &making)?
            }
            Pass::Recursion(network) => {
                let inputs = session.upload(session.arrays(), x, range)?;
                mlp::panels(session.arrays(), session.parameters(), network, self.layout, metric, &inputs[0])
            }
            Pass::Rows { rows, wanted } => rows::panels(session, *rows, self.layout, wanted, metric, x, range)?,
        };
        self.contraction_plan.get_or_init(|| self.recipe_of(&pairs));
        Ok(panels)
    }

    fn contraction_plan(&self) -> &ContractionPlan {
        self.contraction_plan.get().expect("panels were made before")
    }
}
