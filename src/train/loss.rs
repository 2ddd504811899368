use std::ops::Range;

use crate::backend::{Arrays, Cpu, Dual};
use crate::error::{Error, Result};
use crate::ops::{BinaryCrossEntropy, Builtin, CrossEntropy, Op, OpContext, SquaredError};

/// A loss of the outputs of every sample, with its targets: one of the ops [`SquaredError`], [`CrossEntropy`] and
/// [`BinaryCrossEntropy`], in f64.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum Loss<'a> {
    /// |f - y|^2 / 2 for targets y, \[N, C\]. Slope f - y, second derivative 1.
    SquaredError(&'a [f64]),
    /// -log softmax(f)_y for classes y, one for each sample. Slope p - e_y with p = softmax(f), second derivative
    /// diag(p) - p p^T.
    CrossEntropy(&'a [usize]),
    /// log(1 + e^-(y f)) for labels y, 1 or -1, \[N, C\]: binary cross-entropy, 1 being yes. Slope -y s(-y f) with s the
    /// sigmoid, second derivative s(f) s(-f).
    Logistic(&'a [f64]),
}

impl Loss<'_> {
    /// # Errors
    /// There is not a target for every sample or output, or one is none.
    pub(crate) fn check(&self, samples: usize, outputs: usize) -> Result<()> {
        let (given, wanted) = match self {
            Loss::SquaredError(y) | Loss::Logistic(y) => (y.len(), samples * outputs),
            Loss::CrossEntropy(y) => (y.len(), samples),
        };
        if given != wanted {
            return Err(Error::shape(format!(
                "{given} targets for {samples} samples of {outputs} outputs, where {wanted} are needed"
            )));
        }
        let wrong = match self {
            Loss::SquaredError(y) => y.iter().position(|y| !y.is_finite()),
            Loss::Logistic(y) => y.iter().position(|y| y.abs() != 1.0),
            Loss::CrossEntropy(y) => y.iter().position(|&y| y >= outputs),
        };
        match (wrong, self) {
            (None, _) => Ok(()),
            (Some(at), Loss::SquaredError(y)) => Err(Error::value(format!("target {at} is {}", y[at]))),
            (Some(at), Loss::Logistic(y)) => {
                Err(Error::value(format!("label {at} is {}, where 1 or -1 is needed", y[at])))
            }
            (Some(at), Loss::CrossEntropy(y)) => {
                Err(Error::value(format!("class {at} is {}, where there are {outputs} outputs", y[at])))
            }
        }
    }

    /// The mean loss of all samples with outputs `f`, \[N, C\].
    ///
    /// # Errors
    /// As where operators are made: there is not a target for every sample or output, or one is none.
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

    /// The derivative in the outputs `f` of the samples in `range`.
    pub(crate) fn slope(&self, range: Range<usize>, f: &[f64], outputs: usize) -> Vec<f64> {
        let cpu = Cpu::<f64>::new();
        let [f, y] = self.uploaded(&cpu, range, f, outputs);
        self.pull(&cpu, &f, &y).as_slice().to_vec()
    }

    /// The second derivative at the outputs `f` of the samples in `range`, times `df`: the slope in forward mode.
    pub(crate) fn curvature(&self, range: Range<usize>, f: &[f64], df: &[f64], outputs: usize) -> Vec<f64> {
        let cpu = Cpu::<f64>::new();
        let dual = Dual::new(cpu);
        let [f, y] = self.uploaded(&cpu, range, f, outputs);
        let df = cpu.upload(df, cpu.shape(&f));
        let slope = self.pull(&dual, &dual.lift(&f, Some(&df)), &dual.lift(&y, None));
        dual.tangent(&slope).as_slice().to_vec()
    }

    fn pull<B: Arrays>(&self, arrays: &B, f: &B::Tensor, y: &B::Tensor) -> B::Tensor {
        let at = OpContext { arrays, inputs: &[f, y], parameters: &[] };
        let (loss, one) = (self.op().forward(&at), arrays.full(1.0, &arrays.shape(f)[..1]));
        self.op().pull(&at, &loss, &one, 0)
    }

    /// Outputs and targets of the samples in `range`, \[n, C\] each.
    fn uploaded(
        &self,
        cpu: &Cpu<f64>,
        range: Range<usize>,
        f: &[f64],
        outputs: usize,
    ) -> [<Cpu<f64> as Arrays>::Tensor; 2] {
        let shape = [range.len(), outputs];
        let own = range.start * outputs..range.end * outputs;
        let y = match self {
            Loss::SquaredError(y) => y[own].to_vec(),
            Loss::Logistic(y) => y[own].iter().map(|&y| f64::from(y > 0.0)).collect(),
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

/// 1 for the class of every sample and 0 for all others, \[n, C\].
fn one_hot(classes: &[usize], count: usize) -> Vec<f64> {
    let mut rows = vec![0.0; classes.len() * count];
    classes.iter().enumerate().for_each(|(n, class)| rows[n * count + class] = 1.0);
    rows
}
