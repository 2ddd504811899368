//! Fisher matrices that fit in memory.

use std::ops::Range;

use crate::backend::Gram;
use crate::error::{Error, Result};
use crate::factor::Factor;
use crate::kernel::Matrix;
use crate::model::Session;
use crate::model::blocks::fold_blocks;
use crate::ops::Op;
use crate::pattern::matching;
use crate::real::Real;
use crate::samples::Samples;
use crate::shape::{numel, zeros};
use crate::tape::SweepTargets;

/// The number of samples whose Jacobian rows are in memory at a time.
const SAMPLES: usize = 256;

/// The Fisher matrix F = (1/N) sum over n, c of grad f_c(x_n) grad f_c(x_n)^T, `[P, P]`. It covers the parameters whose
/// names match one of the patterns, such as those of a layer: `["d1.*"]`. `*` matches any characters. Products are in the
/// precision of the backend. Sums over blocks of samples are in f64.
///
/// F is the Fisher matrix of a model whose outputs are the means of normal distributions of variance 1. The paper (Engel et
/// al., section 5.1) has it for one output, with T for N. J^T J and J J^T have the same nonzero eigenvalues, so the nonzero
/// eigenvalues of F are those of K/N.
///
/// # The Hessian of the squared error
///
/// With L = 1/(2N) sum over n of |f(x_n) - y_n|^2, two derivatives give
///
/// H = F - (1/N) sum over n, c of (y_nc - f_c(x_n)) H_c(x_n),
///
/// with H_c the Hessian of output c. The paper has this for one output. H is the Hessian of L with the factor 1/2. Without
/// this factor both terms double. If all residuals vanish, at a global minimum, H = F. Karakida et al. (2019), whom the paper
/// follows, call the empirical Fisher matrix equivalent to the Hessian there. Elsewhere the second term is proportional to
/// the residuals, and H need not be positive semi-definite.
///
/// ```
/// use tangent_kernels::{Batch, Cpu, Sequential, Session, analysis::fisher_matrix};
/// let mut model = Sequential::standard(&[2]).linear("d", 1).build()?;
/// model.set("d.weight", &[1, 2], vec![3.0, 4.0])?;
/// model.set("d.bias", &[1], vec![0.0])?;
/// let session = Session::new(&model, Cpu::<f64>::new())?;
/// let f = fisher_matrix(&session, &Batch::new(&[1.0, 2.0], &[1, 2])?, &["d.weight"])?;
/// assert_eq!(f.as_slice(), [1.0, 2.0, 2.0, 4.0]); // x x^T
/// # Ok::<(), tangent_kernels::Error>(())
/// ```
///
/// # Errors
/// A pattern matches no name. The samples do not fit the model, or they depend on each other. The matrix does not fit in
/// memory. The device failed.
pub fn fisher_matrix<B: Gram, O: Op, S: AsRef<str>>(
    session: &Session<'_, B, O>,
    x: &dyn Samples<B::Number>,
    patterns: &[S],
) -> Result<Matrix<f64>> {
    session.check(x)?;
    session.independence_check(x)?;
    let arrays = session.arrays();
    let model = session.model();
    let targets = matching(model.parameters(), patterns)?;
    let chosen: Vec<usize> = (0..targets.len()).filter(|&k| targets[k]).collect();
    let columns: usize = chosen.iter().map(|&k| numel(&model.parameters()[k].shape)).sum();
    let mut sum: Vec<f64> = zeros(&[columns, columns]).ok_or_else(|| {
        Error::memory(format!(
            "the Fisher matrix of {columns} parameters, {columns} x {columns}, does not fit in memory"
        ))
    })?;
    let block = |range: Range<usize>| {
        let rows = jacobian_rows(session, x, range, &targets)?;
        arrays.read(&arrays.matmul(&rows, true, &rows, false))
    };
    let add = |_, block: Vec<B::Number>| sum.iter_mut().zip(block).for_each(|(sum, x)| *sum += x.f64());
    fold_blocks(x.samples(), SAMPLES, block, add)?;
    let samples = x.samples().max(1) as f64;
    sum.iter_mut().for_each(|x| *x /= samples);
    Matrix::from_vec(1, columns, columns, sum)
}

/// The rows of J for the samples in `range` and all outputs, `[C n, P]`, output by output.
fn jacobian_rows<B: Gram, O: Op>(
    session: &Session<'_, B, O>,
    x: &dyn Samples<B::Number>,
    range: Range<usize>,
    targets: &[bool],
) -> Result<B::Tensor> {
    let arrays = session.arrays();
    let infos = session.model().parameters();
    let samples = range.len();
    let tape = session.tape_of(x, range)?;
    let uses = tape.uses()?;
    let mut by_output = Vec::with_capacity(session.model().outputs());
    for c in 0..session.model().outputs() {
        let swept = tape.sweep(&tape.unit_seed(c), SweepTargets { inputs: false, parameters: Some(targets) });
        let rows = tape.by_parameter(&uses, &swept, Factor::jacobian);
        let chosen = rows.into_iter().zip(infos).zip(targets).filter(|(_, target)| **target);
        let rows: Vec<B::Tensor> = chosen
            .map(|((rows, info), _)| rows.unwrap_or_else(|| arrays.full(0.0, &[samples, numel(&info.shape)])))
            .collect();
        by_output.push(arrays.concat(&rows.iter().collect::<Vec<_>>(), 1));
    }
    Ok(arrays.concat(&by_output.iter().collect::<Vec<_>>(), 0))
}
