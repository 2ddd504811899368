//! `ntk classify`

use std::path::Path;

use serde_json::json;
use tangent_kernels::Gram;
use tangent_kernels::analysis::{Ridge, argmax, sign_scores, signed_targets};
use tangent_kernels::io::npy;
use tangent_kernels::{Error, Matrix, Outputs, Real, Result, Samples, Session};

use crate::Answer;
use crate::arguments::{Classifier, Classify};
use crate::compute::{Task, configure, on_device};
use crate::inputs::{SampleFiles, batches, build, network};
use crate::progress::Bar;

/// Labels are smaller than this number.
const MOST_CLASSES: f64 = 1e6;

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
    /// The number of classes.
    count: usize,
    /// True if the file contains 1 and -1.
    signs: bool,
}

impl Labels {
    fn read(path: &Path) -> Result<Self> {
        let (shape, numbers) = npy::read_numbers::<f64>(path)?;
        if shape.iter().filter(|&&size| size != 1).count() > 1 || numbers.is_empty() {
            let error =
                Error::shape(format!("labels need one axis of one label per sample, but the shape is {shape:?}"));
            return Err(error.context(path.display()));
        }
        let signs = numbers.contains(&-1.0);
        let mut classes = Vec::with_capacity(numbers.len());
        for (index, &number) in numbers.iter().enumerate() {
            let Some(class) = parse_class(number, signs) else {
                let error = Error::value(format!("label {index} is {number}: use 0, 1, 2, ... or 1 and -1"));
                return Err(error.context(path.display()));
            };
            classes.push(class);
        }
        let count = classes.iter().max().map_or(0, |&class| class + 1).max(2);
        Ok(Labels { classes, count, signs })
    }

    fn check_length(&self, path: &Path, samples: usize) -> Result<()> {
        let labels = self.classes.len();
        if labels == samples {
            return Ok(());
        }
        let path = path.display();
        Err(Error::shape(format!("{path} has {labels} labels for {samples} samples: give one label per sample")))
    }

    /// The fraction of `predicted` that equals these labels.
    fn accuracy(&self, predicted: &[usize]) -> f64 {
        let correct = predicted.iter().zip(&self.classes).filter(|(predicted, class)| predicted == class).count();
        correct as f64 / predicted.len().max(1) as f64
    }

    /// The label of a class, as the file has it.
    fn label(&self, class: usize) -> f64 {
        if self.signs && class == 0 { -1.0 } else { class as f64 }
    }
}

/// The class of a label. `None` if the label is invalid.
fn parse_class(label: f64, signs: bool) -> Option<usize> {
    if signs {
        return (label.abs() == 1.0).then_some(usize::from(label == 1.0));
    }
    (label >= 0.0 && label.fract() == 0.0 && label < MOST_CLASSES).then_some(label as usize)
}

struct Classifying<'a> {
    options: &'a Classify,
    labels: Labels,
    test: Option<Labels>,
}

impl Task for Classifying<'_> {
    type Output = Answer;

    fn run<B: Gram>(self, arrays: B) -> Result<Answer> {
        let Classifying { options, labels, test } = self;
        let decoded = network(&options.network)?;
        let x = SampleFiles::parse(&options.x).read::<B::Number>(&decoded)?;
        let z = SampleFiles::parse(&options.z).read::<B::Number>(&decoded)?;
        let built = build(&options.network, decoded, &x)?;
        let x = batches(&built, &x)?;
        let z = batches(&built, &z)?;
        labels.check_length(&options.labels, x.samples())?;
        if let (Some(test), Some(path)) = (&test, &options.test_labels) {
            test.check_length(path, z.samples())?;
        }
        let session = Session::new(&built.model, arrays)?;
        let mut ntk = configure(session.ntk(), &options.computing).components(false);
        // A classifier needs one number per pair of samples. The default for several outputs is the mean.
        if options.computing.mode == Outputs::Full && built.model.outputs() > 1 {
            ntk = ntk.outputs(Outputs::TraceMean);
        }
        let bar = Bar::new("kernels");
        let show = |progress| bar.show(progress);
        let ntk = ntk.progress(&show);
        let train = ntk.compute(&x)?;
        let cross = ntk.between(&z, &x)?;
        drop(bar);
        let on_train = classify(options, &labels, train.total(), train.total())?;
        let on_test = classify(options, &labels, train.total(), cross.total())?;
        answer(options, &labels, test.as_ref(), &on_train, &on_test)
    }
}

/// The classes of the rows of `cross`, K(Z, X). `train` is K(X, X).
fn classify<R: Real>(options: &Classify, labels: &Labels, train: &Matrix<R>, cross: &Matrix<R>) -> Result<Vec<usize>> {
    match options.by {
        Classifier::Sign if labels.count == 2 => {
            let signs: Vec<f64> = labels.classes.iter().map(|&class| if class == 1 { 1.0 } else { -1.0 }).collect();
            let scores = sign_scores(cross, &signs, None)?;
            Ok(scores.into_iter().map(|score| usize::from(score > 0.0)).collect())
        }
        Classifier::Sign => {
            let count = labels.count;
            Err(Error::unsupported(format!("--by sign needs two classes, but there are {count}: use --by ridge")))
        }
        Classifier::Ridge => {
            let mean = train.trace() / train.rows().max(1) as f64;
            let targets = signed_targets(&labels.classes, labels.count)?;
            let fit = Ridge::fit(train, &targets, options.ridge * mean)?;
            argmax(&fit.predict(cross)?, labels.count)
        }
    }
}

fn answer(
    options: &Classify,
    labels: &Labels,
    test: Option<&Labels>,
    on_train: &[usize],
    on_test: &[usize],
) -> Result<Answer> {
    let train_accuracy = labels.accuracy(on_train);
    let test_accuracy = test.map(|test| test.accuracy(on_test));
    let mut text = format!("{} classes, by {:?}\n", labels.count, options.by).to_lowercase();
    text += &format!("correct on X: {:.2} % of {}\n", 100.0 * train_accuracy, on_train.len());
    if let Some(accuracy) = test_accuracy {
        text += &format!("correct on Z: {:.2} % of {}\n", 100.0 * accuracy, on_test.len());
    }
    let classes: Vec<f64> = on_test.iter().map(|&class| labels.label(class)).collect();
    if let Some(path) = &options.out {
        npy::write(path, &[classes.len()], &classes)?;
        text += &format!("classes of Z: {}\n", path.display());
    }
    let json = json!({ "train_accuracy": train_accuracy, "test_accuracy": test_accuracy, "classes": classes });
    Ok(Answer { text, json, good: true })
}
