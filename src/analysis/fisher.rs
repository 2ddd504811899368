//! Fisher matrices of layers that are small enough to be stored.

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

/// Samples whose rows of the Jacobian are there at a time.
const SAMPLES: usize = 256;

/// F = (1/N) sum over n, c of grad f_c(x_n) grad f_c(x_n)^T, \[P, P\], of the parameters whose names fit one of the
/// patterns (`*` stands for any letters), such as a layer's: `["d1.*"]`. Products are in the precision of the backend,
/// sums over blocks of samples in f64.
///
/// It is the Fisher matrix of a model whose outputs are the means of normal distributions of variance 1. The paper (Engel et al.,
/// section 5.1) has it for one output, with T for N. J^T J and J J^T share their eigenvalues other than zero, so those of F
/// are those of K/N: `tests/fisher.rs` holds them against each other.
///
/// # The Hessian of the squared error
///
/// With L = 1/(2N) sum over n of |f(x_n) - y_n|^2, two derivatives give
///
/// H = F - (1/N) sum over n, c of (y_nc - f_c(x_n)) H_c(x_n),
///
/// with H_c the Hessian of output c. The paper has this for one output; it is the Hessian of L with the factor 1/2: of a
/// loss without it both terms double. Where all residuals vanish, at a global minimum, H = F, and it is there that Karakida
/// et al. (2019), whom the paper follows, call the empirical Fisher matrix equivalent to the Hessian; elsewhere the rest is
/// as large as the residuals are, and H need not be positive semi-definite.
///
/// ```
/// use tangent_kernels::{Batch, Cpu, Sequential, Session, analysis::fisher};
/// let mut model = Sequential::standard(&[2]).linear("d", 1).build()?;
/// model.set("d.weight", &[1, 2], vec![3.0, 4.0])?;
/// model.set("d.bias", &[1], vec![0.0])?;
/// let session = Session::new(&model, Cpu::<f64>::new())?;
/// let f = fisher(&session, &Batch::new(&[1.0, 2.0], &[1, 2])?, &["d.weight"])?;
/// assert_eq!(f.as_slice(), [1.0, 2.0, 2.0, 4.0]); // x x^T
/// # Ok::<(), tangent_kernels::Error>(())
/// ```
///
/// # Errors
/// A pattern fits no name; samples that the model does not take, or that depend on each other; P x P numbers do not fit in
/// memory; the device failed.
pub fn fisher<B: Gram, O: Op, S: AsRef<str>>(
    session: &Session<'_, B, O>,
    x: &dyn Samples<B::Number>,
    patterns: &[S],
) -> Result<Matrix<f64>> {
    session.check(x)?;
    session.independence_check(x)?;
    let (arrays, model) = (session.arrays(), session.model());
    let wanted = matching(model.parameters(), patterns)?;
    let chosen: Vec<usize> = (0..wanted.len()).filter(|&k| wanted[k]).collect();
    let size = |k: usize| numel(&model.parameters()[k].shape);
    let columns: usize = chosen.iter().map(|&k| size(k)).sum();
    let mut sum: Vec<f64> = zeros(&[columns, columns]).ok_or_else(|| {
        Error::memory(format!("the Fisher matrix of {columns} parameters, {columns} x {columns}, does not fit"))
    })?;
    let of_block = |range: Range<usize>| {
        let samples = range.len();
        let tape = session.tape_of(x, range)?;
        let uses = tape.uses()?;
        let rows_of = |c: usize| {
            let swept = tape.sweep(&tape.unit_seed(c), SweepTargets { inputs: false, parameters: Some(&wanted) });
            let mut rows = tape.by_parameter(&uses, &swept, Factor::jacobian);
            let own = |&k: &usize| rows[k].take().unwrap_or_else(|| arrays.full(0.0, &[samples, size(k)]));
            let list: Vec<B::Tensor> = chosen.iter().map(own).collect();
            arrays.concat(&list.iter().collect::<Vec<_>>(), 1)
        };
        let rows: Vec<B::Tensor> = (0..model.outputs()).map(rows_of).collect();
        let rows = arrays.concat(&rows.iter().collect::<Vec<_>>(), 0);
        arrays.read(&arrays.matmul(&rows, true, &rows, false))
    };
    let add = |_, block: Vec<B::Number>| sum.iter_mut().zip(block).for_each(|(sum, x)| *sum += x.f64());
    fold_blocks(x.samples(), SAMPLES, of_block, add)?;
    let samples = x.samples().max(1) as f64;
    sum.iter_mut().for_each(|x| *x /= samples);
    Matrix::from_vec(1, columns, columns, sum)
}
