//! What a network makes of samples at any place inside it, and the kernels of that.

use rayon::prelude::*;

use crate::backend::Gram;
use crate::error::{Error, Result};
use crate::kernel::Matrix;
use crate::model::{Model, Session};
use crate::ops::Op;
use crate::real::Real;
use crate::real::gemm::{Gemm, View};
use crate::samples::Samples;
use crate::shape::{numel, zeros};
use crate::tape::Value;

/// Rows of a Gram that a thread computes at once.
const ROWS: usize = 128;

/// Phi, \[1, n, F\]: the features that a model reads its outputs from, which is what comes in at the last op with parameters
/// (buffers are none) that the output depends on. Positions and channels are flattened, row-major.
///
/// With a linear layer at the end, that is what the layer multiplies by its weight, a 1 / sqrt(width) of the NTK
/// parameterisation included. Where a norm, a gain or a shift is the last op with parameters, it is what comes in there, which
/// may not be what is meant: [`features_at`] takes any place.
///
/// # Errors
/// As [`features_at`]; no op with parameters is on the way to the output, or the last has several inputs or looks rows up
/// in a table: the message says where to look for a value.
pub fn features<B: Gram, O: Op>(session: &Session<'_, B, O>, x: &dyn Samples<B::Number>) -> Result<Matrix<B::Number>> {
    features_at(session, x, read_out(session.model())?)
}

/// The value of any node of the graph at every sample, \[1, n, F\], positions and channels flattened, row-major. What is
/// recorded after it is not computed. Of a value that is an input, such as
/// [`Graph::input`](crate::Graph::input), it is the samples themselves.
///
/// The values of a [`Sequential`](crate::Sequential) model are found by its nodes:
///
/// ```
/// use tangent_kernels::{Batch, Cpu, Sequential, Session, analysis::{features, features_at}, unary::Tanh};
/// let mut model = Sequential::standard(&[1]).mlp_without_bias(&[2, 1], Tanh).build()?;
/// model.set("d1.weight", &[2, 1], vec![0.5, -1.0])?;
/// model.set("d2.weight", &[1, 2], vec![2.0, 1.0])?;
/// let session = Session::new(&model, Cpu::<f64>::new())?;
/// let x = Batch::new(&[0.0, 3.0], &[2, 1])?;
/// assert_eq!(features(&session, &x)?.as_slice(), [0.0, 0.0, 1.5f64.tanh(), (-3.0f64).tanh()]);
/// let first = model.graph().result(0); // the first op's: before its tanh
/// assert_eq!(features_at(&session, &x, first)?.as_slice(), [0.0, 0.0, 1.5, -3.0]);
/// assert_eq!(features_at(&session, &x, model.graph().input())?.as_slice(), [0.0, 3.0]);
/// # Ok::<(), tangent_kernels::Error>(())
/// ```
///
/// # Errors
/// Samples that the model does not take, or that depend on each other; a value of another graph; a feature that is not
/// finite; the device failed.
pub fn features_at<B: Gram, O: Op>(
    session: &Session<'_, B, O>,
    x: &dyn Samples<B::Number>,
    value: Value,
) -> Result<Matrix<B::Number>> {
    session.check(x)?;
    session.independence_check(x)?;
    let graph = session.model().graph();
    if !graph.has(value) {
        return Err(Error::name("the features are a value of another graph"));
    }
    let count = numel(graph.shape(value));
    let numbers = session.run_to(x, value)?;
    if let Some(at) = numbers.iter().position(|x| !x.is_finite()) {
        let (sample, feature) = (at / count, at % count);
        return Err(Error::value(format!("feature {feature} of sample {sample} is {}", numbers[at])));
    }
    Matrix::from_vec(1, x.samples(), count, numbers)
}

/// The conjugate kernel Phi Phi^T, \[1, n, n\], of the [`features`] Phi that a model reads its outputs from: the kernel of
/// training the last layer alone (Daniely, Frostig and Singer 2016, "Toward deeper understanding of neural networks"). As widths
/// grow it tends to the NNGP kernel (Lee et al. 2018, "Deep neural networks as Gaussian processes"), so it is also called that
/// of a finite network. It is symmetric to the bit.
///
/// With one output and a linear layer at the end it is that layer's weight's component of the NTK. neural-tangents' empirical
/// "nngp" is another thing, f f^T of the outputs f; so is [`gram`] of [`features_at`] the model's output.
///
/// Nothing is divided by the number of features; a model in the NTK parameterisation carries its 1 / sqrt(width).
///
/// ```
/// use tangent_kernels::{Batch, Cpu, Sequential, Session, analysis::conjugate_kernel, unary::Tanh};
/// let mut model = Sequential::ntk(&[2]).mlp(&[3, 1], Tanh).build()?;
/// # for (k, info) in model.parameters().to_vec().iter().enumerate() {
/// #     let count = info.shape.iter().product();
/// #     model.set(&info.name, &info.shape, (0..count).map(|i| (i + k) as f64 * 0.3 - 0.5).collect())?;
/// # }
/// let session = Session::new(&model, Cpu::<f64>::new())?;
/// let x = [1.0, 0.0, 0.5, -0.5];
/// let x = Batch::new(&x, &[2, 2])?;
/// let kernel = session.ntk().compute(&x)?;
/// assert!(conjugate_kernel(&session, &x)?.distance(kernel.component("d2.weight")?)? < 1e-15);
/// # Ok::<(), tangent_kernels::Error>(())
/// ```
///
/// # Errors
/// As [`features`], or of [`gram`].
pub fn conjugate_kernel<B: Gram, O: Op>(
    session: &Session<'_, B, O>,
    x: &dyn Samples<B::Number>,
) -> Result<Matrix<B::Number>> {
    gram(&features(session, x)?)
}

/// The conjugate kernel of two sets of samples, Phi(X) Phi(Z)^T, \[1, n, m\]: rows belong to `x`, columns to `z`.
///
/// # Errors
/// As [`conjugate_kernel`].
pub fn conjugate_kernel_between<B: Gram, O: Op>(
    session: &Session<'_, B, O>,
    x: &dyn Samples<B::Number>,
    z: &dyn Samples<B::Number>,
) -> Result<Matrix<B::Number>> {
    gram_between(&features(session, x)?, &features(session, z)?)
}

/// Phi Phi^T, \[1, n, n\], of features \[1, n, F\]: products on the CPU, in the precision of the features. Symmetric to the bit,
/// since the lower triangle is copied from the upper one, and the same to the bit for any number of threads.
///
/// ```
/// use tangent_kernels::{Matrix, analysis::gram};
/// let features = Matrix::from_vec(1, 2, 3, vec![1.0, 2.0, 3.0, 0.0, 1.0, -1.0])?;
/// assert_eq!(gram(&features)?.as_slice(), [14.0, -1.0, -1.0, 2.0]);
/// # Ok::<(), tangent_kernels::Error>(())
/// ```
///
/// # Errors
/// The features have several blocks; the Gram does not fit in memory or is not finite.
pub fn gram<R: Real>(features: &Matrix<R>) -> Result<Matrix<R>> {
    let mut gram = products(features, features, |row| row)?;
    let rows = features.rows();
    for row in 1..rows {
        for col in 0..row {
            gram[row * rows + col] = gram[col * rows + row];
        }
    }
    finished(gram, [rows, rows])
}

/// Phi Psi^T, \[1, n, m\], of features \[1, n, F\] and \[1, m, F\], as [`gram`].
///
/// # Errors
/// Features have several blocks or unlike numbers of columns; the product does not fit in memory or is not finite.
pub fn gram_between<R: Real>(phi: &Matrix<R>, psi: &Matrix<R>) -> Result<Matrix<R>> {
    finished(products(phi, psi, |_| 0)?, [phi.rows(), psi.rows()])
}

/// Phi Psi^T by bands of rows, each from column `first` of its first row on; what is left of that stays 0.
fn products<R: Real>(phi: &Matrix<R>, psi: &Matrix<R>, first: impl Fn(usize) -> usize + Sync) -> Result<Vec<R>> {
    let ([1, rows, width], [1, cols, other]) = (phi.shape(), psi.shape()) else {
        let (one, two) = (phi.shape(), psi.shape());
        return Err(Error::shape(format!("features of shapes {one:?} and {two:?}, where one block each is needed")));
    };
    if width != other {
        return Err(Error::shape(format!("features of {width} and of {other} numbers for a sample have no product")));
    }
    let too_large = || Error::memory(format!("a Gram of {rows} x {cols} does not fit"));
    let mut out: Vec<R> = zeros(&[rows, cols]).ok_or_else(too_large)?;
    out.par_chunks_mut((ROWS * cols).max(1)).enumerate().for_each(|(band, out)| {
        let (row, col) = (band * ROWS, first(band * ROWS));
        let own = &phi.as_slice()[row * width..][..out.len() / cols * width];
        let lhs = View::new(own, out.len() / cols, width);
        let rhs = View::new(&psi.as_slice()[col * width..], cols - col, width).t();
        R::gemm(Gemm { out: &mut out[col..], out_stride: cols, lhs, rhs, accumulate: false });
    });
    Ok(out)
}

fn finished<R: Real>(gram: Vec<R>, [rows, cols]: [usize; 2]) -> Result<Matrix<R>> {
    let matrix = Matrix::from_vec(1, rows, cols, gram)?;
    super::stored::finite(&matrix)?;
    Ok(matrix)
}

/// What comes in at the last op with parameters on the way to the output.
fn read_out<O: Op>(model: &Model<O>) -> Result<Value> {
    let (graph, output) = (model.graph(), model.output());
    let trainable = graph.trainable();
    let mut reached = vec![false; output.0 + 1];
    reached[output.0] = true;
    for (k, node) in graph.nodes_up_to(output).iter().enumerate().rev() {
        if !reached[graph.result(k).0] {
            continue;
        }
        if !node.parameters.iter().any(|p| trainable[p.0]) {
            node.inputs.iter().for_each(|input| reached[input.0] = true);
            continue;
        }
        let shapes: Vec<&[usize]> = node.parameters.iter().map(|p| graph.weight_shape(p.0)).collect();
        return match node.inputs[..] {
            [input] if node.op.rows_looked_up(0, &shapes).is_none() => Ok(input),
            _ => Err(Error::unsupported(format!(
                "the last op with parameters is {}, which has several inputs or looks rows up: what comes in there is no \
                 feature vector. `features_at` takes the value that is meant",
                node.op.name()
            ))),
        };
    }
    Err(Error::unsupported(
        "no op on the way to the output has parameters: `features_at` takes the value that is meant",
    ))
}
