//! Plain gradient descent by the library's own gradients.

use indicatif::{ProgressBar, ProgressStyle};
use tangent_kernels::analysis;
use tangent_kernels::{Batch, Cpu, Loss, Model, Result, Session};

/// The mean loss at the first and at the last step.
pub struct Trained {
    pub first: f64,
    pub last: f64,
}

/// Moves the parameters of `model` down the gradient of the mean of |f - y|^2 / 2.
pub fn descend(model: &mut Model, x: &Batch<'_, f64>, labels: &[f64], rate: f64, steps: usize) -> Result<Trained> {
    let style = ProgressStyle::with_template("training {wide_bar} {pos}/{len}").expect("the template is right");
    let bar = ProgressBar::new(steps as u64).with_style(style);
    let samples = labels.len() as f64;
    let loss = |f: &[f64]| Loss::SquaredError(labels).mean(f, 1);
    let mut first = None;
    for _ in 0..steps {
        let session = Session::new(model, Cpu::<f64>::new())?;
        let f = session.run(x)?;
        first.get_or_insert(loss(&f)?);
        let slopes: Vec<f64> = f.iter().zip(labels).map(|(f, y)| (f - y) / samples).collect();
        let gradient = session.gradient(x, &slopes)?;
        for (info, slopes) in gradient.iter() {
            let values = model.parameter(&info.name)?.iter().zip(slopes).map(|(value, slope)| value - rate * slope);
            let values = values.collect();
            model.set(&info.name, &info.shape, values)?;
        }
        bar.inc(1);
    }
    bar.finish_and_clear();
    let last = loss(&Session::new(model, Cpu::<f64>::new())?.run(x)?)?;
    Ok(Trained { first: first.unwrap_or(last), last })
}

/// The fraction of samples whose output has the sign of their label.
pub fn accuracy(model: &Model, x: &Batch<'_, f64>, labels: &[f64]) -> Result<f64> {
    analysis::accuracy(&Session::new(model, Cpu::<f64>::new())?.run(x)?, labels)
}
