//! The kernel of a network during training, step by step, without storing all kernels.

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
use recorder::{LayerSums, Recorder};
use scores::Scores;

/// The residual of eigenvalues relative to the largest. Their errors are about its square divided by the gaps between them.
const TOLERANCE: f64 = 1e-4;

/// Records the kernel of a network during training as a few numbers per step, by layer and in total. A layer is the sum of
/// the components of its parameters, whose names agree up to the last dot.
///
/// Only the upper triangles of the first and the last kernel are in memory, and the Gram of the samples. This Gram is constant
/// and is computed once, for layers of one position that use the samples through no other parameter.
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
/// let x = [1.0, 0.0, 0.5, -0.5, -1.0, 0.3];
/// let y = [1.0, 1.0, -1.0];
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
    saved: Option<(PathBuf, Vec<usize>)>,
    state: Option<State<R>>,
}

struct State<R> {
    recorder: Recorder<R>,
    scores: Option<Scores<R>>,
    csv: Option<Csv>,
    /// Whether a kernel was interrupted, so that the stored last kernel is invalid.
    broken: bool,
}

/// The recorded numbers of one step.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Record {
    /// The step.
    pub step: usize,
    /// The values of the [`columns`](Trajectory::columns).
    pub values: Vec<f64>,
    /// The records of all layers, and of the total at the end.
    pub layers: Vec<LayerRecord>,
}

/// The recorded numbers of one layer or of the total.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct LayerRecord {
    /// The layer's name, or `total`.
    pub name: String,
    /// tr K
    pub trace: f64,
    /// |K|_F
    pub norm: f64,
    /// |K - K_0|_F / |K_0|_F, where K_0 is the first recorded kernel.
    pub drift: f64,
    /// |K - K_-1|_F / |K_-1|_F, where K_-1 is the kernel recorded before. It is 0 for the first kernel.
    pub change: f64,
    /// The alignment with the labels, y^T K y / (|K|_F |y|^2), if there are labels.
    pub alignment: Option<f64>,
    /// The accuracy of the paper's sign classifier on the samples themselves, if there are labels.
    pub train_accuracy: Option<f64>,
    /// The accuracy of the sign classifier on the test samples, if there are any.
    pub test_accuracy: Option<f64>,
    /// The requested number of largest eigenvalues.
    pub eigenvalues: Vec<f64>,
}

impl Record {
    /// The record of the total.
    pub fn total(&self) -> &LayerRecord {
        self.layers.last().expect("a record ends with the total")
    }

    /// The record of layer `name`.
    pub fn layer(&self, name: &str) -> Option<&LayerRecord> {
        self.layers.iter().find(|layer| layer.name == name)
    }
}

impl<'a, R: Real> Trajectory<'a, R> {
    /// A trajectory of the full kernel of these samples, without labels, eigenvalues or files.
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
            saved: None,
            state: None,
        }
    }

    /// Sets the treatment of several outputs. [`Outputs::PerOutput`] is an error, since it gives several kernels.
    #[must_use]
    pub fn outputs(mut self, outputs: Outputs) -> Self {
        self.outputs = outputs;
        self
    }

    /// Sets labels y, one per row of the kernel, for alignment and the sign classifier. The classes are 1 and -1.
    #[must_use]
    pub fn labels(mut self, y: &[f64]) -> Self {
        self.labels = Some(y.to_vec());
        self
    }

    /// Sets test samples Z with labels, 1 or -1 per row of K(Z, X), for the sign classifier. It also needs
    /// [`labels`](Self::labels).
    #[must_use]
    pub fn test(mut self, z: &'a dyn Samples<R>, y: &[f64]) -> Self {
        self.test = Some((z, y.to_vec()));
        self
    }

    /// Records the `count` largest eigenvalues of every layer and of the total, to a residual of 1e-4 of the largest. Their
    /// relative errors are about the square of that.
    #[must_use]
    pub fn eigenvalues(mut self, count: usize) -> Self {
        self.eigenvalues = count;
        self
    }

    /// Sets the names of values that are recorded at every step, such as the loss.
    #[must_use]
    pub fn columns(mut self, names: &[&str]) -> Self {
        self.columns = names.iter().map(|name| name.to_string()).collect();
        self
    }

    /// Writes records to a CSV file, one line per layer and one for the total. An existing file is replaced. Lines are written at
    /// every record, so an interrupted program leaves all recorded steps. The columns are `step`, those of
    /// [`columns`](Self::columns), `layer`, and the fields of [`LayerRecord`]. Missing values are empty.
    #[must_use]
    pub fn csv(mut self, path: impl AsRef<Path>) -> Self {
        self.csv = Some(path.as_ref().to_path_buf());
        self
    }

    /// Saves the kernels of these steps, if they are recorded, as `step_S_LAYER.npy` in `folder`, N x N.
    ///
    /// Requires the feature `npy`.
    #[cfg(feature = "npy")]
    #[must_use]
    pub fn keep(mut self, folder: impl AsRef<Path>, steps: &[usize]) -> Self {
        self.saved = Some((folder.as_ref().to_path_buf(), steps.to_vec()));
        self
    }

    /// Records the kernel of `session` as step `step`, with one value per [column](Self::columns). Sessions may use any
    /// backend. Their models must have the same layers.
    ///
    /// # Errors
    /// As [`Ntk::compute`](crate::Ntk::compute). Labels or values do not fit. The model has other layers than before. Two
    /// triangles of every layer do not fit in memory. A file cannot be written. After a failed kernel, nothing more can be
    /// recorded. The file keeps all earlier records.
    pub fn record<B: Gram<Number = R>, O: Op>(
        &mut self,
        session: &Session<'_, B, O>,
        step: usize,
        values: &[f64],
    ) -> Result<Record> {
        if values.len() != self.columns.len() {
            let given = values.len();
            let columns = &self.columns;
            return Err(Error::shape(format!("got {given} values for the columns {columns:?}; pass one per column")));
        }
        let mut state = match self.state.take() {
            Some(state) => state,
            None => self.start(session)?,
        };
        if state.broken {
            self.state = Some(state);
            return Err(Error::value(
                "an earlier record failed, so there is no last kernel to compare with; start a new trajectory",
            ));
        }
        let layers = self.fill(session, &mut state);
        state.broken = layers.is_err();
        let state = self.state.insert(state);
        let record = Record { step, values: values.to_vec(), layers: layers? };
        if let Some(csv) = &mut state.csv {
            csv.append(&lines(&record, self.eigenvalues))?;
        }
        #[cfg(feature = "npy")]
        self.save_kernels(step)?;
        Ok(record)
    }

    /// The part of layer `name`, or the `"total"`, of the last recorded kernel.
    ///
    /// # Errors
    /// There is no such layer, nothing was recorded, or the matrix does not fit in memory.
    pub fn last(&self, name: &str) -> Result<Matrix<R>> {
        self.recorder()?.matrix(name, false)
    }

    /// The part of layer `name`, or the `"total"`, of the first recorded kernel.
    ///
    /// # Errors
    /// As [`last`](Self::last).
    pub fn first(&self, name: &str) -> Result<Matrix<R>> {
        self.recorder()?.matrix(name, true)
    }

    /// The names of the layers, and `"total"`. Empty before the first record.
    pub fn layers(&self) -> &[String] {
        self.state.as_ref().map_or(&[], |state| &state.recorder.layers.names)
    }

    fn recorder(&self) -> Result<&Recorder<R>> {
        let state =
            self.state.as_ref().ok_or_else(|| Error::value("no kernel is recorded yet; call `record` first"))?;
        Ok(&state.recorder)
    }

    fn start<B: Gram<Number = R>, O: Op>(&self, session: &Session<'_, B, O>) -> Result<State<R>> {
        if self.outputs == Outputs::PerOutput {
            return Err(Error::unsupported(
                "a trajectory records one kernel, but Outputs::PerOutput gives several; choose other outputs",
            ));
        }
        let ntk = session.ntk().outputs(self.outputs);
        let recorder = Recorder::new(Grams::new(session, &ntk, (self.x, None))?, self.labels.clone());
        let scores = match (&self.test, &self.labels) {
            (None, _) => None,
            (Some(_), None) => {
                return Err(Error::value("the classifier of test samples needs labels of the samples; call `labels`"));
            }
            (Some((z, _)), Some(labels)) => {
                Some(Scores::new(Grams::new(session, &ntk, (*z, Some(self.x)))?, labels.clone()))
            }
        };
        let csv = self.csv.as_deref().map(|path| Csv::create(path, &self.header())).transpose()?;
        Ok(State { recorder, scores, csv, broken: false })
    }

    /// Fills the sinks and reads the results from them.
    fn fill<B: Gram<Number = R>, O: Op>(
        &self,
        session: &Session<'_, B, O>,
        State { recorder, scores, .. }: &mut State<R>,
    ) -> Result<Vec<LayerRecord>> {
        let ntk = || session.ntk().outputs(self.outputs);
        recorder.grams.without_input_gram(ntk()).fill(self.x, recorder)?;
        let mut test_accuracies = None;
        if let (Some(scores), Some((z, labels))) = (scores, &self.test) {
            scores.grams.without_input_gram(ntk()).fill_between(*z, self.x, scores)?;
            let scores = scores.scores();
            let accuracies = scores.iter().map(|scores| accuracy(scores, labels));
            test_accuracies = Some(accuracies.collect::<Result<Vec<_>>>()?);
        }
        let layers = recorder.finish();
        let recorder = &*recorder;
        let mut records = Vec::with_capacity(layers.len());
        for (layer, sums) in layers.into_iter().enumerate() {
            let test_accuracy = test_accuracies.as_ref().map(|accuracies| accuracies[layer]);
            records.push(self.layer_record(recorder, layer, &sums, test_accuracy)?);
        }
        Ok(records)
    }

    fn layer_record(
        &self,
        recorder: &Recorder<R>,
        layer: usize,
        LayerSums { sums, first_square, last_square }: &LayerSums,
        test_accuracy: Option<f64>,
    ) -> Result<LayerRecord> {
        let [square, from_first, from_last] = sums.squares;
        let options = EigenOptions::default().tolerance(TOLERANCE);
        let eigenvalues = match self.eigenvalues {
            0 => Vec::new(),
            count => largest(&recorder.operator(layer), count, &options)?.values,
        };
        let labels = self.labels.as_deref();
        Ok(LayerRecord {
            name: recorder.layers.names[layer].clone(),
            trace: sums.trace,
            norm: square.sqrt(),
            drift: ratio(from_first, *first_square),
            change: ratio(from_last, *last_square),
            alignment: labels.map(|y| label_alignment(&sums.row_products, y, square)),
            train_accuracy: labels.map(|y| accuracy(&sums.row_products, y)).transpose()?,
            test_accuracy,
            eigenvalues,
        })
    }

    fn header(&self) -> Vec<String> {
        let fields = ["trace", "norm", "drift", "change", "alignment", "train_accuracy", "test_accuracy"];
        let fields = fields.map(String::from).into_iter();
        let columns = self.columns.iter().map(|name| cell(name));
        let eigenvalues = (1..=self.eigenvalues).map(|k| format!("eigenvalue_{k}"));
        std::iter::once("step".to_string())
            .chain(columns)
            .chain(["layer".to_string()])
            .chain(fields)
            .chain(eigenvalues)
            .collect()
    }

    #[cfg(feature = "npy")]
    fn save_kernels(&self, step: usize) -> Result<()> {
        let Some((folder, _)) = self.saved.as_ref().filter(|(_, steps)| steps.contains(&step)) else { return Ok(()) };
        for name in self.layers() {
            let matrix = self.last(name)?;
            let file = folder.join(format!("step_{step}_{}.npy", name.replace(['/', '\\'], "_")));
            crate::io::npy::write(file, &[matrix.rows(), matrix.cols()], matrix.as_slice())?;
        }
        Ok(())
    }
}

/// The root of a ratio of squares. It is 0 if the numerator is 0.
fn ratio(square: f64, reference: f64) -> f64 {
    if square == 0.0 { 0.0 } else { (square / reference).sqrt() }
}

/// y^T K y / (|K|_F |y|^2) from K y. It is 0 for a kernel or labels that are zero.
fn label_alignment(product: &[f64], y: &[f64], square: f64) -> f64 {
    let dot = |x: &[f64]| x.iter().zip(y).map(|(x, y)| x * y).sum::<f64>();
    let scale = square.sqrt() * dot(y);
    if scale == 0.0 { 0.0 } else { dot(product) / scale }
}

/// The lines of a record in the CSV file, one per layer.
fn lines(record: &Record, eigenvalues: usize) -> Vec<Vec<String>> {
    record.layers.iter().map(|layer| line(record, layer, eigenvalues)).collect()
}

fn line(record: &Record, layer: &LayerRecord, eigenvalues: usize) -> Vec<String> {
    let option = |x: Option<f64>| x.map_or(String::new(), |x| x.to_string());
    let mut line = vec![record.step.to_string()];
    line.extend(record.values.iter().map(f64::to_string));
    line.push(cell(&layer.name));
    line.extend([layer.trace, layer.norm, layer.drift, layer.change].iter().map(f64::to_string));
    line.extend([layer.alignment, layer.train_accuracy, layer.test_accuracy].map(option));
    line.extend((0..eigenvalues).map(|k| option(layer.eigenvalues.get(k).copied())));
    line
}

/// About `count` distinct steps from 0 to `last`, both included. After 0 and 1 they are evenly spaced on a logarithmic scale.
///
/// ```
/// use tangent_kernels::analysis::trajectory::log_steps;
/// assert_eq!(log_steps(1000, 4), [0, 1, 10, 100, 1000]);
/// assert_eq!(log_steps(3, 100), [0, 1, 2, 3]);
/// ```
pub fn log_steps(last: usize, count: usize) -> Vec<usize> {
    let intervals = count.saturating_sub(1).max(1) as f64;
    let logarithmic = |k: usize| (last as f64).powf(k as f64 / intervals).round() as usize;
    let mut steps: Vec<usize> = std::iter::once(0).chain((0..count).map(logarithmic)).chain([last]).collect();
    steps.retain(|&step| step <= last);
    steps.sort_unstable();
    steps.dedup();
    steps
}
