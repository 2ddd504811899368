//! What becomes of a kernel while its network learns, step by step, without storing all kernels.

mod csv;
mod layers;
mod recorder;
mod scores;
mod sums;

use std::path::{Path, PathBuf};

use super::accuracy;
use super::solve::{EigenOptions, largest};
use crate::backend::Gram;
use crate::error::{Error, Result};
use crate::kernel::{Matrix, Outputs};
use crate::model::Session;
use crate::ops::Op;
use crate::real::Real;
use crate::samples::Samples;
use csv::{Csv, cell};
use layers::Grams;
use recorder::Recorder;
use scores::Scores;

/// Eigenvalues are computed to this residual, beside the largest: they are off by about its square, over the gaps between them.
const TOLERANCE: f64 = 1e-4;

/// The kernel of a network along its training: at every step that is recorded, what it comes to in numbers, layer by layer
/// and in total. A layer is the sum of the components of its parameters, which are those with one name before the last dot.
///
/// Of all kernels, the first and the last are held, their upper triangles, and nothing else of size N x N but the Gram of
/// the samples themselves: it does not change, so it is computed once (for layers of one position that see the samples
/// through no other parameter).
///
/// ```
/// use tangent_kernels::analysis::trajectory::Trajectory;
/// use tangent_kernels::train::{GradientDescent, Optimiser};
/// use tangent_kernels::{Batch, Cpu, Loss, Sequential, Session, unary::Tanh};
/// # fn main() -> tangent_kernels::Result<()> {
/// # let folder = tempfile::tempdir().unwrap();
/// # let path = folder.path().join("trajectory.csv");
/// let mut model = Sequential::standard(&[2]).mlp_without_bias(&[3, 1], Tanh).build()?;
/// # model.set("d1.weight", &[3, 2], vec![0.1, 0.2, 0.3, 0.4, 0.5, 0.6])?;
/// # model.set("d2.weight", &[1, 3], vec![1.0, -1.0, 1.0])?;
/// let (x, y) = ([1.0, 0.0, 0.5, -0.5, -1.0, 0.3], [1.0, 1.0, -1.0]);
/// let x = Batch::new(&x, &[3, 2])?;
///
/// let mut descent = GradientDescent::new(0.1);
/// let mut trajectory = Trajectory::new(&x).labels(&y).eigenvalues(2).columns(&["loss"]).csv(&path);
/// for step in 0..=10 {
///     let session = Session::new(&model, Cpu::<f64>::new())?;
///     let (loss, gradient) = session.loss_gradient(&x, Loss::Logistic(&y))?;
///     let record = trajectory.record(&session, step, &[loss])?;
///     println!("{step}: trace {:.3}, drift {:.3}", record.total().trace, record.total().drift);
///     descent.step(&mut model, &gradient)?;
/// }
/// assert_eq!(std::fs::read_to_string(&path).unwrap().lines().count(), 1 + 11 * 3); // d1, d2 and total
/// # Ok(())
/// # }
/// ```
pub struct Trajectory<'a, R: Real> {
    x: &'a dyn Samples<R>,
    outputs: Outputs,
    labels: Option<Vec<f64>>,
    test: Option<(&'a dyn Samples<R>, Vec<f64>)>,
    eigenvalues: usize,
    columns: Vec<String>,
    csv: Option<PathBuf>,
    #[cfg(feature = "npy")]
    kept: Option<(PathBuf, Vec<usize>)>,
    state: Option<State<R>>,
}

struct State<R> {
    recorder: Recorder<R>,
    scores: Option<Scores<R>>,
    csv: Option<Csv>,
    /// A kernel ended in the middle, so what is held of the last one is no kernel.
    broken: bool,
}

/// What a kernel comes to at one step.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Record {
    /// The step.
    pub step: usize,
    /// The numbers that were recorded with it.
    pub values: Vec<f64>,
    /// Every layer, and the total last.
    pub layers: Vec<LayerRecord>,
}

/// What one layer's part of a kernel comes to, or the total.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct LayerRecord {
    /// The layer's name, or `total`.
    pub name: String,
    /// tr K
    pub trace: f64,
    /// |K|_F
    pub norm: f64,
    /// |K - K_0|_F / |K_0|_F, K_0 being the kernel that was recorded first.
    pub drift: f64,
    /// |K - K_-1|_F / |K_-1|_F, K_-1 being the kernel that was recorded before; 0 for the first.
    pub change: f64,
    /// The alignment with the labels, y^T K y / (|K|_F |y|^2), if there are labels.
    pub alignment: Option<f64>,
    /// The share of the samples themselves that the paper's sign classifier gets right, if there are labels.
    pub train_accuracy: Option<f64>,
    /// The same of the test samples, if there are any.
    pub test_accuracy: Option<f64>,
    /// The largest eigenvalues, as many as were asked for.
    pub eigenvalues: Vec<f64>,
}

impl Record {
    /// The total of all layers.
    pub fn total(&self) -> &LayerRecord {
        self.layers.last().expect("there is a total")
    }

    /// The layer called `name`.
    pub fn layer(&self, name: &str) -> Option<&LayerRecord> {
        self.layers.iter().find(|layer| layer.name == name)
    }
}

impl<'a, R: Real> Trajectory<'a, R> {
    /// Of the kernel of these samples: the full kernel, without labels, eigenvalues or files.
    pub fn new(x: &'a dyn Samples<R>) -> Self {
        Trajectory {
            x,
            outputs: Outputs::Full,
            labels: None,
            test: None,
            eigenvalues: 0,
            columns: Vec::new(),
            csv: None,
            #[cfg(feature = "npy")]
            kept: None,
            state: None,
        }
    }

    /// What becomes of several outputs. [`Outputs::PerOutput`] is refused: its kernels are several.
    #[must_use]
    pub fn outputs(mut self, outputs: Outputs) -> Self {
        self.outputs = outputs;
        self
    }

    /// Labels y, one for every row of the kernel, for alignment and the sign classifier, to which 1 and -1 are the classes.
    #[must_use]
    pub fn labels(mut self, y: &[f64]) -> Self {
        self.labels = Some(y.to_vec());
        self
    }

    /// Test samples Z with labels, 1 or -1 for every row of K(Z, X): the sign classifier is tried on them. That takes
    /// [`labels`](Self::labels).
    #[must_use]
    pub fn test(mut self, z: &'a dyn Samples<R>, y: &[f64]) -> Self {
        self.test = Some((z, y.to_vec()));
        self
    }

    /// Records the `count` largest eigenvalues of every layer and of the total, to a residual of 1e-4 of the largest:
    /// errors are about the square of that.
    #[must_use]
    pub fn eigenvalues(mut self, count: usize) -> Self {
        self.eigenvalues = count;
        self
    }

    /// Names of numbers that are recorded with every step, such as the loss.
    #[must_use]
    pub fn columns(mut self, names: &[&str]) -> Self {
        self.columns = names.iter().map(|name| name.to_string()).collect();
        self
    }

    /// Writes a line for every layer and the total at every record, as they come, to a CSV file that begins anew: a program
    /// that is killed leaves all steps that it recorded. The columns are `step`, those of [`columns`](Self::columns),
    /// `layer`, and the fields of [`LayerRecord`]; what there is not is left empty.
    #[must_use]
    pub fn csv(mut self, path: impl AsRef<Path>) -> Self {
        self.csv = Some(path.as_ref().to_path_buf());
        self
    }

    /// Keeps the kernels of these steps, if they are recorded: as `step_S_LAYER.npy` in `folder`, N x N.
    ///
    /// Available with the feature `npy`.
    #[cfg(feature = "npy")]
    #[must_use]
    pub fn keep(mut self, folder: impl AsRef<Path>, steps: &[usize]) -> Self {
        self.kept = Some((folder.as_ref().to_path_buf(), steps.to_vec()));
        self
    }

    /// Records the kernel of `session` as that of step `step`, with a number for every one of the
    /// [`columns`](Self::columns). Sessions may be on any backend, but all are of models with the same layers.
    ///
    /// # Errors
    /// As [`Ntk::compute`](crate::Ntk::compute); labels or values that do not fit; a model with other layers than before; two
    /// triangles of every layer do not fit in memory; a file cannot be written. After a kernel that failed nothing more can be
    /// recorded; the file holds what was.
    pub fn record<B: Gram<Number = R>, O: Op>(
        &mut self,
        session: &Session<'_, B, O>,
        step: usize,
        values: &[f64],
    ) -> Result<Record> {
        if values.len() != self.columns.len() {
            let (given, columns) = (values.len(), &self.columns);
            return Err(Error::shape(format!("{given} values for the columns {columns:?}")));
        }
        let mut state = match self.state.take() {
            Some(state) => state,
            None => self.begun(session)?,
        };
        if state.broken {
            self.state = Some(state);
            return Err(Error::value("a record failed before, and with it what the next one would be compared with"));
        }
        let layers = self.filled(session, &mut state);
        state.broken = layers.is_err();
        let state = self.state.insert(state);
        let record = Record { step, values: values.to_vec(), layers: layers? };
        if let Some(csv) = &mut state.csv {
            csv.append(&lines(&record, self.eigenvalues))?;
        }
        #[cfg(feature = "npy")]
        self.keep_kernels(step)?;
        Ok(record)
    }

    /// The part of layer `name`, or the `"total"`, of the kernel that was recorded last.
    ///
    /// # Errors
    /// There is no such layer, nothing was recorded, or there is not enough memory.
    pub fn last(&self, name: &str) -> Result<Matrix<R>> {
        self.recorder()?.matrix(name, false)
    }

    /// The same of the kernel that was recorded first.
    ///
    /// # Errors
    /// As [`last`](Self::last).
    pub fn first(&self, name: &str) -> Result<Matrix<R>> {
        self.recorder()?.matrix(name, true)
    }

    /// The names of the layers, and `"total"`; none before the first record.
    pub fn layers(&self) -> &[String] {
        self.state.as_ref().map_or(&[], |state| &state.recorder.layers.names)
    }

    fn recorder(&self) -> Result<&Recorder<R>> {
        let state = self.state.as_ref().ok_or_else(|| Error::value("no kernel was recorded yet"))?;
        Ok(&state.recorder)
    }

    fn begun<B: Gram<Number = R>, O: Op>(&self, session: &Session<'_, B, O>) -> Result<State<R>> {
        if self.outputs == Outputs::PerOutput {
            return Err(Error::unsupported("a trajectory is of one kernel, and Outputs::PerOutput are several"));
        }
        let ntk = session.ntk().outputs(self.outputs);
        let recorder = Recorder::new(Grams::new(session, &ntk, (self.x, None))?, self.labels.clone());
        let scores = match (&self.test, &self.labels) {
            (None, _) => None,
            (Some(_), None) => {
                return Err(Error::value("a classifier of test samples takes labels, and there are none"));
            }
            (Some((z, _)), Some(labels)) => {
                Some(Scores::new(Grams::new(session, &ntk, (*z, Some(self.x)))?, labels.clone()))
            }
        };
        let csv = self.csv.as_deref().map(|path| Csv::create(path, &self.head())).transpose()?;
        Ok(State { recorder, scores, csv, broken: false })
    }

    /// Fills the sinks, and reads from them.
    fn filled<B: Gram<Number = R>, O: Op>(
        &self,
        session: &Session<'_, B, O>,
        State { recorder, scores, .. }: &mut State<R>,
    ) -> Result<Vec<LayerRecord>> {
        let ntk = || session.ntk().outputs(self.outputs);
        recorder.grams.without_input_gram(ntk()).fill(self.x, recorder)?;
        let mut of_test = None;
        if let (Some(scores), Some((z, labels))) = (scores, &self.test) {
            scores.grams.without_input_gram(ntk()).fill_between(*z, self.x, scores)?;
            of_test = Some(scores.scores().iter().map(|scores| accuracy(scores, labels)).collect::<Result<Vec<_>>>()?);
        }
        let options = EigenOptions::default().tolerance(TOLERANCE);
        let finished = recorder.finish();
        let recorder = &*recorder;
        let of_layer = |(layer, (sums, [first, last])): (usize, (sums::Sums, [f64; 2]))| {
            let [square, from_first, from_last] = sums.squares;
            let eigenvalues = match self.eigenvalues {
                0 => Vec::new(),
                count => largest(&recorder.operator(layer), count, &options)?.values,
            };
            let labels = self.labels.as_deref();
            Ok(LayerRecord {
                name: recorder.layers.names[layer].clone(),
                trace: sums.trace,
                norm: square.sqrt(),
                drift: ratio(from_first, first),
                change: ratio(from_last, last),
                alignment: labels.map(|y| aligned(&sums.own, y, square)),
                train_accuracy: labels.map(|y| accuracy(&sums.own, y)).transpose()?,
                test_accuracy: of_test.as_ref().map(|list| list[layer]),
                eigenvalues,
            })
        };
        finished.into_iter().enumerate().map(of_layer).collect()
    }

    fn head(&self) -> Vec<String> {
        let fields = ["trace", "norm", "drift", "change", "alignment", "train_accuracy", "test_accuracy"];
        let fields = fields.map(String::from).into_iter();
        let own = self.columns.iter().map(|name| cell(name));
        let eigenvalues = (1..=self.eigenvalues).map(|k| format!("eigenvalue_{k}"));
        std::iter::once("step".to_string())
            .chain(own)
            .chain(["layer".to_string()])
            .chain(fields)
            .chain(eigenvalues)
            .collect()
    }

    #[cfg(feature = "npy")]
    fn keep_kernels(&self, step: usize) -> Result<()> {
        let Some((folder, _)) = self.kept.as_ref().filter(|(_, steps)| steps.contains(&step)) else { return Ok(()) };
        for name in self.layers() {
            let matrix = self.last(name)?;
            let file = folder.join(format!("step_{step}_{}.npy", name.replace(['/', '\\'], "_")));
            crate::io::npy::write(file, &[matrix.rows(), matrix.cols()], matrix.as_slice())?;
        }
        Ok(())
    }
}

/// The root of a ratio of squares; 0 where both are zero.
fn ratio(square: f64, of: f64) -> f64 {
    if square == 0.0 { 0.0 } else { (square / of).sqrt() }
}

/// y^T K y / (|K|_F |y|^2) from K y; 0 for a kernel or labels that are zero.
fn aligned(product: &[f64], y: &[f64], square: f64) -> f64 {
    let dot = |x: &[f64]| x.iter().zip(y).map(|(x, y)| x * y).sum::<f64>();
    let of = square.sqrt() * dot(y);
    if of == 0.0 { 0.0 } else { dot(product) / of }
}

/// A line of the CSV file for every layer.
fn lines(record: &Record, eigenvalues: usize) -> Vec<Vec<String>> {
    let option = |x: Option<f64>| x.map_or(String::new(), |x| x.to_string());
    let of_layer = |layer: &LayerRecord| {
        let mut line = vec![record.step.to_string()];
        line.extend(record.values.iter().map(f64::to_string));
        line.push(cell(&layer.name));
        line.extend([layer.trace, layer.norm, layer.drift, layer.change].iter().map(f64::to_string));
        line.extend([layer.alignment, layer.train_accuracy, layer.test_accuracy].map(option));
        line.extend((0..eigenvalues).map(|k| option(layer.eigenvalues.get(k).copied())));
        line
    };
    record.layers.iter().map(of_layer).collect()
}

/// About `count` steps from 0 to `last`, both among them, whose distances grow as they do: after 0 and 1 they are spaced
/// evenly on a logarithmic scale, each once.
///
/// ```
/// use tangent_kernels::analysis::trajectory::log_steps;
/// assert_eq!(log_steps(1000, 4), [0, 1, 10, 100, 1000]);
/// assert_eq!(log_steps(3, 100), [0, 1, 2, 3]);
/// ```
pub fn log_steps(last: usize, count: usize) -> Vec<usize> {
    let intervals = count.saturating_sub(1).max(1) as f64;
    let at = |k: usize| (last as f64).powf(k as f64 / intervals).round() as usize;
    let mut steps: Vec<usize> = std::iter::once(0).chain((0..count).map(at)).chain([last]).collect();
    steps.retain(|&step| step <= last);
    steps.sort_unstable();
    steps.dedup();
    steps
}
