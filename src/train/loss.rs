use std::ops::Range;

use crate::backend::{Arrays, Cpu, Dual, Storage};
use crate::error::{Error, Result};
use crate::ops::{BinaryCrossEntropy, Builtin, CrossEntropy, Op, OpContext, SquaredError};

/// A loss of the outputs of every sample, with its targets. It is one of the ops [`SquaredError`], [`CrossEntropy`] and
/// [`BinaryCrossEntropy`], in f64.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum Loss<'a> {
    /// |f - y|^2 / 2 for targets y, `[N, C]`. First derivative f - y, second derivative 1.
    SquaredError(&'a [f64]),
    /// -log softmax(f)_y for classes y, one per sample. First derivative p - e_y with p = softmax(f), second derivative
    /// diag(p) - p p^T.
    CrossEntropy(&'a [usize]),
    /// log(1 + e^-(y f)) for labels y, 1 or -1, `[N, C]`: binary cross-entropy with 1 as the positive class. First
    /// derivative -y s(-y f) with s the sigmoid, second derivative s(f) s(-f).
    Logistic(&'a [f64]),
}

impl Loss<'_> {
    /// # Errors
    /// The number of targets does not fit the samples and outputs, or a target is invalid.
    pub(crate) fn check(&self, samples: usize, outputs: usize) -> Result<()> {
        let (given, needed) = match self {
            Loss::SquaredError(y) | Loss::Logistic(y) => (y.len(), samples * outputs),
            Loss::CrossEntropy(y) => (y.len(), samples),
        };
        if given != needed {
            return Err(Error::shape(format!(
                "got {given} targets for {samples} samples with {outputs} outputs, but {needed} are needed"
            )));
        }
        let wrong = match self {
            Loss::SquaredError(y) => y.iter().position(|y| !y.is_finite()),
            Loss::Logistic(y) => y.iter().position(|y| y.abs() != 1.0),
            Loss::CrossEntropy(y) => y.iter().position(|&y| y >= outputs),
        };
        match (wrong, self) {
            (None, _) => Ok(()),
            (Some(k), Loss::SquaredError(y)) => {
                Err(Error::value(format!("target {k} is {}, but must be finite", y[k])))
            }
            (Some(k), Loss::Logistic(y)) => Err(Error::value(format!("label {k} is {}, but must be 1 or -1", y[k]))),
            (Some(k), Loss::CrossEntropy(y)) => {
                Err(Error::value(format!("class {k} is {}, but the model has only {outputs} outputs", y[k])))
            }
        }
    }

    /// The mean loss of all samples with outputs `f`, `[N, C]`.
    ///
    /// # Errors
    /// The number of targets does not fit the samples and outputs, or a target is invalid.
    pub fn mean(&self, f: &[f64], outputs: usize) -> Result<f64> {
        let samples = f.len() / outputs.max(1);
        self.check(samples, outputs)?;
        let losses = self.values(0..samples, f, outputs);
        Ok(losses.iter().sum::<f64>() / samples.max(1) as f64)
    }

    /// The loss of every sample in `range`, whose outputs are `f`.
    pub(crate) fn values(&self, range: Range<usize>, f: &[f64], outputs: usize) -> Vec<f64> {
        let cpu = Cpu::<f64>::new();
        let [f, y] = self.uploaded(&cpu, range, f, outputs);
        self.op().forward(&OpContext { arrays: &cpu, inputs: &[&f, &y], parameters: &[] }).as_slice().to_vec()
    }

    /// The derivative in the outputs, at the outputs `f` of the samples in `range`.
    pub(crate) fn slope(&self, range: Range<usize>, f: &[f64], outputs: usize) -> Vec<f64> {
        let cpu = Cpu::<f64>::new();
        let [f, y] = self.uploaded(&cpu, range, f, outputs);
        self.pull(&cpu, &f, &y).as_slice().to_vec()
    }

    /// The second derivative at the outputs `f` of the samples in `range`, times `df`: forward mode over the slope.
    pub(crate) fn curvature(&self, range: Range<usize>, f: &[f64], df: &[f64], outputs: usize) -> Vec<f64> {
        let cpu = Cpu::<f64>::new();
        let dual = Dual::new(cpu);
        let [f, y] = self.uploaded(&cpu, range, f, outputs);
        let df = cpu.upload(df, cpu.shape(&f));
        let slope = self.pull(&dual, &dual.lift(&f, Some(&df)), &dual.lift(&y, None));
        dual.tangent(&slope).as_slice().to_vec()
    }

    fn pull<B: Arrays>(&self, arrays: &B, f: &B::Tensor, y: &B::Tensor) -> B::Tensor {
        let ctx = OpContext { arrays, inputs: &[f, y], parameters: &[] };
        let loss = self.op().forward(&ctx);
        let ones = arrays.full(1.0, &arrays.shape(f)[..1]);
        self.op().pull(&ctx, &loss, &ones, 0)
    }

    /// Outputs and targets of the samples in `range`, `[n, C]` each.
    fn uploaded(
        &self,
        cpu: &Cpu<f64>,
        range: Range<usize>,
        f: &[f64],
        outputs: usize,
    ) -> [<Cpu<f64> as Storage>::Tensor; 2] {
        let shape = [range.len(), outputs];
        let rows = range.start * outputs..range.end * outputs;
        let y = match self {
            Loss::SquaredError(y) => y[rows].to_vec(),
            Loss::Logistic(y) => y[rows].iter().map(|&y| f64::from(y > 0.0)).collect(),
            Loss::CrossEntropy(y) => one_hot(&y[range], outputs),
        };
        [f, &y].map(|numbers| cpu.upload(numbers, &shape))
    }

    fn op(&self) -> Builtin {
        match self {
            Loss::SquaredError(_) => SquaredError.into(),
            Loss::CrossEntropy(_) => CrossEntropy.into(),
            Loss::Logistic(_) => BinaryCrossEntropy.into(),
        }
    }
}

/// 1 for the class of each sample and 0 for all other classes, `[n, C]`.
fn one_hot(classes: &[usize], count: usize) -> Vec<f64> {
    let mut rows = vec![0.0; classes.len() * count];
    classes.iter().enumerate().for_each(|(n, class)| rows[n * count + class] = 1.0);
    rows
}
