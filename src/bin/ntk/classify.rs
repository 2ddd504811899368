//! `ntk classify`

use std::path::Path;

use serde_json::json;
use tangent_kernels::analysis::{Ridge, argmax, sign_scores, signed_targets};
use tangent_kernels::backend::Gram;
use tangent_kernels::io::npy;
use tangent_kernels::{Error, Matrix, Outputs, Result, Samples, Session};

use crate::Answer;
use crate::arguments::{Classifier, Classify};
use crate::compute::{Task, asked, on_device};
use crate::inputs::{Files, batches, build, network};
use crate::progress::Bar;

pub fn run(options: &Classify) -> Result<Answer> {
    let mut labels = Labels::read(&options.labels)?;
    let test = options.test_labels.as_deref().map(Labels::read).transpose()?;
    if let Some(test) = &test {
        labels.count = labels.count.max(test.count);
    }
    on_device(&options.computing, Classifying { options, labels, test })
}

/// The classes of samples, counted from 0.
struct Labels {
    classes: Vec<usize>,
    /// How many classes there are.
    count: usize,
    /// They were 1 and -1.
    signs: bool,
}

impl Labels {
    fn read(path: &Path) -> Result<Self> {
        let (shape, numbers) = npy::read_numbers::<f64>(path)?;
        let here = |error: Error| error.context(path.display());
        if shape.iter().filter(|&&size| size != 1).count() > 1 || numbers.is_empty() {
            return Err(here(Error::shape(format!("an array of shape {shape:?} is no list of labels"))));
        }
        let signs = numbers.contains(&-1.0);
        let class = |(at, &number): (usize, &f64)| match (signs, number) {
            (true, -1.0) => Ok(0),
            (true, 1.0) => Ok(1),
            (false, whole) if whole >= 0.0 && whole.fract() == 0.0 && whole < 1e6 => Ok(whole as usize),
            _ => Err(here(Error::value(format!("label {at} is {number}: 0, 1, 2, ... or 1 and -1 are needed")))),
        };
        let classes = numbers.iter().enumerate().map(class).collect::<Result<Vec<_>>>()?;
        let count = classes.iter().max().map_or(0, |&class| class + 1).max(2);
        Ok(Labels { classes, count, signs })
    }

    fn check(&self, path: &Path, samples: usize) -> Result<()> {
        match self.classes.len() == samples {
            true => Ok(()),
            false => {
                let (labels, path) = (self.classes.len(), path.display());
                Err(Error::shape(format!("{path} has {labels} labels for {samples} samples")))
            }
        }
    }
}

struct Classifying<'a> {
    options: &'a Classify,
    labels: Labels,
    test: Option<Labels>,
}

impl Task for Classifying<'_> {
    type Done = Answer;

    fn on<B: Gram>(self, arrays: B) -> Result<Answer> {
        let Classifying { options, labels, test } = self;
        let decoded = network(&options.network)?;
        let x = Files::of(&options.x).read::<B::Number>(&decoded)?;
        let z = Files::of(&options.z).read::<B::Number>(&decoded)?;
        let built = build(&options.network, decoded, &x)?;
        let (x, z) = (batches(&built, &x)?, batches(&built, &z)?);
        labels.check(&options.labels, x.samples())?;
        if let (Some(test), Some(path)) = (&test, &options.test_labels) {
            test.check(path, z.samples())?;
        }
        let session = Session::new(&built.model, arrays)?;
        // Several outputs become one number for a pair of samples, unless the caller says which.
        let mut computing = asked(session.ntk(), &options.computing).components(false);
        if options.computing.mode == Outputs::Full && built.model.outputs() > 1 {
            computing = computing.outputs(Outputs::TraceMean);
        }
        let bar = Bar::new("kernels");
        let show = |progress| bar.show(progress);
        let ntk = computing.progress(&show);
        let (own, cross) = (ntk.compute(&x)?, ntk.between(&z, &x)?);
        drop(bar);
        let decided = |kernel: &Matrix<B::Number>| decide(options, &labels, own.total(), kernel);
        let (train, found) = (decided(own.total())?, decided(cross.total())?);
        answer(options, &labels, test.as_ref(), &train, &found)
    }
}

/// The classes of the rows of `kernel`, K(x, X).
fn decide<R: tangent_kernels::Real>(
    options: &Classify,
    labels: &Labels,
    own: &Matrix<R>,
    kernel: &Matrix<R>,
) -> Result<Vec<usize>> {
    match options.by {
        Classifier::Sign if labels.count == 2 => {
            let signs: Vec<f64> = labels.classes.iter().map(|&class| if class == 1 { 1.0 } else { -1.0 }).collect();
            let scores = sign_scores(kernel, &signs, None)?;
            Ok(scores.into_iter().map(|score| usize::from(score > 0.0)).collect())
        }
        Classifier::Sign => {
            Err(Error::unsupported(format!("--by sign is for two classes, not {}; --by ridge", labels.count)))
        }
        Classifier::Ridge => {
            let mean = own.trace() / own.rows().max(1) as f64;
            let targets = signed_targets(&labels.classes, labels.count)?;
            let fit = Ridge::fit(own, &targets, options.ridge * mean)?;
            argmax(&fit.predict(kernel)?, labels.count)
        }
    }
}

fn shard(found: &[usize], labels: &Labels) -> f64 {
    let right = found.iter().zip(&labels.classes).filter(|(one, two)| one == two).count();
    right as f64 / found.len().max(1) as f64
}

fn answer(
    options: &Classify,
    labels: &Labels,
    test: Option<&Labels>,
    train: &[usize],
    found: &[usize],
) -> Result<Answer> {
    let (on_train, on_test) = (shard(train, labels), test.map(|test| shard(found, test)));
    let mut text = format!("{} classes, by {:?}\n", labels.count, options.by).to_lowercase();
    text += &format!("right on X: {:.2} % of {}\n", 100.0 * on_train, train.len());
    if let Some(right) = on_test {
        text += &format!("right on Z: {:.2} % of {}\n", 100.0 * right, found.len());
    }
    let named = |&class: &usize| match (labels.signs, class) {
        (true, 0) => -1.0,
        (_, class) => class as f64,
    };
    let classes: Vec<f64> = found.iter().map(named).collect();
    if let Some(path) = &options.out {
        npy::write(path, &[classes.len()], &classes)?;
        text += &format!("classes of Z in {}\n", path.display());
    }
    let json = json!({ "train_accuracy": on_train, "test_accuracy": on_test, "classes": classes });
    Ok(Answer { text, json, good: true })
}
