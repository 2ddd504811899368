//! One training, and its kernels on the way.

use std::collections::BTreeSet;

use indicatif::{ProgressBar, ProgressStyle};
use tangent_kernels::analysis::accuracy;
use tangent_kernels::analysis::trajectory::{Record, Trajectory, log_steps};
use tangent_kernels::train::{GradientDescent, Optimiser};
use tangent_kernels::unary::Tanh;
use tangent_kernels::{Batch, Cpu, Loss, Result, Sequential, Session};

use crate::digits::{Digits, PIXELS};
use crate::options::Options;

/// The learning rate of appendix B.
pub const RATE: f64 = 1e-2;
/// The divisor of standardised pixels: the square root of their number.
pub const DIVISOR: f64 = 28.0;
/// Images per class for the kernels of every step.
const SUBSET: usize = 500;
/// Names of the scores recorded with every kernel.
const COLUMNS: [&str; 3] = ["loss", "network_train", "network_test"];

/// The digits of the experiment.
pub struct Data {
    pub train: Digits<f32>,
    pub test: Digits<f32>,
}

/// Receives every kernel during training.
pub trait Watcher {
    /// The kernel of all training images at a step, with its record.
    fn see(&mut self, record: &Record, trajectory: &Trajectory<'_, f32>) -> Result<()>;

    /// Called after the last kernel.
    fn end(&mut self, trajectory: &Trajectory<'_, f32>) -> Result<()>;
}

/// The records of a training: the first kernel, the last, and those between.
pub struct Outcome {
    pub records: Vec<Record>,
}

impl Outcome {
    pub fn start(&self) -> &Record {
        &self.records[0]
    }

    pub fn end(&self) -> &Record {
        &self.records[self.records.len() - 1]
    }
}

/// Trains from the weights of `seed`. With a watcher, kernels along training are written to `trajectory.csv`; without,
/// only the first and the last are computed.
pub fn run(options: &Options, data: &Data, seed: u64, mut watcher: Option<&mut dyn Watcher>) -> Result<Outcome> {
    let (x, z) = (batch(&data.train)?, batch(&data.test)?);
    let (subset, subset_labels) = subset(&data.train);
    let subset = Batch::new(&subset, &[subset_labels.len(), PIXELS])?;
    let mut model = Sequential::ntk(&[PIXELS]).mlp_without_bias(&[50, 50, 50, 1], Tanh).build()?;
    model.initialise(seed)?;

    let mut steps = BTreeSet::from([0, options.steps]);
    let labels = &data.train.labels;
    let mut trajectory = Trajectory::new(&x).labels(labels).test(&z, &data.test.labels).columns(&COLUMNS);
    let mut every_step = None;
    if watcher.is_some() {
        steps.extend(log_steps(options.steps, options.kernels));
        trajectory = trajectory.eigenvalues(2).csv(options.out.join("trajectory.csv"));
        every_step = options.paper.then(|| {
            let path = options.out.join("every_step.csv");
            Trajectory::new(&subset).labels(&subset_labels).eigenvalues(1).columns(&COLUMNS[..1]).csv(path)
        });
    }

    let bar = progress(options.steps, seed);
    let mut descent = GradientDescent::new(RATE);
    let mut records = Vec::new();
    for step in 0..=options.steps {
        let session = Session::new(&model, Cpu::<f32>::new())?;
        let (loss, gradient) = session.loss_gradient(&x, Loss::Logistic(labels))?;
        if let Some(every_step) = &mut every_step {
            every_step.record(&session, step, &[loss])?;
        }
        if steps.contains(&step) {
            let right = |x: &Batch<'_, f32>, labels: &[f64]| {
                accuracy(&session.run(x)?.into_iter().map(f64::from).collect::<Vec<_>>(), labels)
            };
            let values = [loss, right(&x, labels)?, right(&z, &data.test.labels)?];
            let record = trajectory.record(&session, step, &values)?;
            if let Some(watcher) = &mut watcher {
                watcher.see(&record, &trajectory)?;
            }
            records.push(record);
            bar.set_message(format!("loss {loss:.4}"));
        }
        if step < options.steps {
            descent.step(&mut model, &gradient)?;
            bar.inc(1);
        }
    }
    bar.finish_and_clear();
    if let Some(watcher) = &mut watcher {
        watcher.end(&trajectory)?;
    }
    Ok(Outcome { records })
}

fn progress(steps: usize, seed: u64) -> ProgressBar {
    let style =
        ProgressStyle::with_template("{prefix} {wide_bar} {pos}/{len} {eta} {msg}").expect("the template is right");
    ProgressBar::new(steps as u64).with_prefix(format!("seed {seed}")).with_style(style)
}

fn batch(digits: &Digits<f32>) -> Result<Batch<'_, f32>> {
    Batch::new(&digits.pixels, &[digits.count(), PIXELS])
}

/// The first images of each class.
fn subset(digits: &Digits<f32>) -> (Vec<f32>, Vec<f64>) {
    let of_class = |label: f64| {
        let own = (0..digits.count()).filter(move |&k| digits.labels[k] == label);
        own.take(SUBSET)
    };
    let chosen: Vec<usize> = [-1.0, 1.0].into_iter().flat_map(of_class).collect();
    let pixels = chosen.iter().flat_map(|&k| &digits.pixels[k * PIXELS..][..PIXELS]).copied().collect();
    (pixels, chosen.iter().map(|&k| digits.labels[k]).collect())
}
