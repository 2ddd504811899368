//! The features of a network at any value of its graph, and their kernels.

use rayon::prelude::*;

use crate::backend::{Cpu, Gram, Reductions, Storage};
use crate::error::{Error, Result};
use crate::kernel::Matrix;
use crate::model::{Model, Session};
use crate::ops::Op;
use crate::real::Real;
use crate::samples::Samples;
use crate::shape::{numel, zeros};
use crate::tape::Value;

/// The number of rows of a Gram that a thread computes at a time.
const ROWS: usize = 128;

/// The features Phi of a network at every sample, `[1, n, F]`. Positions and channels are flattened, row-major.
///
/// `value` is any value of the graph. Later ops are not computed. [`Graph::input`](crate::Graph::input) gives the samples
/// themselves. If `value` is `None`, the features are the input of the last op with parameters (other than buffers) that the
/// output depends on. For a final linear layer they are the vectors that the layer multiplies by its weight, including the
/// 1 / sqrt(width) of the NTK parameterisation. If the last op with parameters is a norm, a gain or a shift, its input may
/// not be the value that you need. Pass the value in this case.
///
/// Values of a [`Sequential`](crate::Sequential) model are found by its nodes:
///
/// ```
/// use tangent_kernels::{Batch, Cpu, Sequential, Session, analysis::features, unary::Tanh};
/// let mut model = Sequential::standard(&[1]).mlp_without_bias(&[2, 1], Tanh).build()?;
/// model.set("d1.weight", &[2, 1], vec![0.5, -1.0])?;
/// model.set("d2.weight", &[1, 2], vec![2.0, 1.0])?;
/// let session = Session::new(&model, Cpu::<f64>::new())?;
/// let x = Batch::new(&[0.0, 3.0], &[2, 1])?;
/// assert_eq!(features(&session, &x, None)?.as_slice(), [0.0, 0.0, 1.5f64.tanh(), (-3.0f64).tanh()]);
/// let first = model.graph().result(0); // the result of the first op, before its tanh
/// assert_eq!(features(&session, &x, Some(first))?.as_slice(), [0.0, 0.0, 1.5, -3.0]);
/// assert_eq!(features(&session, &x, Some(model.graph().input()))?.as_slice(), [0.0, 3.0]);
/// # Ok::<(), tangent_kernels::Error>(())
/// ```
///
/// # Errors
/// The samples do not fit the model, or they depend on each other. The value belongs to another graph. A feature is not
/// finite. The device failed. Without a value: the output depends on no op with parameters, or the last one has several
/// inputs or looks up rows of a table.
pub fn features<B: Gram, O: Op>(
    session: &Session<'_, B, O>,
    x: &dyn Samples<B::Number>,
    value: Option<Value>,
) -> Result<Matrix<B::Number>> {
    let value = match value {
        Some(value) => value,
        None => read_out(session.model())?,
    };
    session.check(x)?;
    session.independence_check(x)?;
    let graph = session.model().graph();
    if !graph.has(value) {
        return Err(Error::name(
            "the value of the features belongs to another graph; pass a value of the model's graph",
        ));
    }
    let count = numel(graph.shape(value));
    let numbers = session.run_to(x, value)?;
    if let Some(index) = numbers.iter().position(|x| !x.is_finite()) {
        let sample = index / count;
        let feature = index % count;
        let number = numbers[index];
        return Err(Error::value(format!("feature {feature} of sample {sample} is {number}, but must be finite")));
    }
    Matrix::from_vec(1, x.samples(), count, numbers)
}

/// The conjugate kernel of [`features`]: Phi Phi^T, `[1, n, n]`, or Phi Psi^T, `[1, n, m]`, with features Psi of other samples.
///
/// For the default features it is the kernel of training the last layer only (Daniely, Frostig and Singer 2016, "Toward deeper
/// understanding of neural networks"). For growing widths it converges to the NNGP kernel (Lee et al. 2018, "Deep neural
/// networks as Gaussian processes"), and this name is also used for finite networks. For one output and a final linear layer
/// it is the NTK component of that layer's weight. The empirical "nngp" of neural-tangents is different: it is f f^T with the
/// outputs f, the conjugate kernel of the features at the model's output.
///
/// The kernel is not divided by the number of features. A model in the NTK parameterisation contains the 1 / sqrt(width).
/// Products are computed on the CPU in the precision of the features, and have the same bits for any number of threads.
/// Phi Phi^T is symmetric to the bit, since its lower triangle is copied from the upper one.
///
/// ```
/// use tangent_kernels::{Batch, Cpu, Sequential, Session, analysis::{conjugate_kernel, features}, unary::Tanh};
/// let mut model = Sequential::ntk(&[2]).mlp(&[3, 1], Tanh).build()?;
/// # for (k, info) in model.parameters().to_vec().iter().enumerate() {
/// #     let count = info.shape.iter().product();
/// #     model.set(&info.name, &info.shape, (0..count).map(|i| (i + k) as f64 * 0.3 - 0.5).collect())?;
/// # }
/// let session = Session::new(&model, Cpu::<f64>::new())?;
/// let x = [1.0, 0.0, 0.5, -0.5];
/// let x = Batch::new(&x, &[2, 2])?;
/// let kernel = session.ntk().compute(&x)?;
/// let conjugate = conjugate_kernel(&features(&session, &x, None)?, None)?;
/// assert!(conjugate.distance(kernel.component("d2.weight")?)? < 1e-15);
/// # Ok::<(), tangent_kernels::Error>(())
/// ```
///
/// # Errors
/// Features have several blocks or different numbers of columns. The kernel does not fit in memory or is not finite.
pub fn conjugate_kernel<R: Real>(phi: &Matrix<R>, psi: Option<&Matrix<R>>) -> Result<Matrix<R>> {
    let Some(psi) = psi else {
        let mut gram = products(phi, phi, |row| row)?;
        mirror(&mut gram, phi.rows());
        return checked(gram, [phi.rows(), phi.rows()]);
    };
    checked(products(phi, psi, |_| 0)?, [phi.rows(), psi.rows()])
}

/// Phi Psi^T by blocks of rows. A block begins at column `first` of its first row. Entries before it remain 0.
fn products<R: Real>(phi: &Matrix<R>, psi: &Matrix<R>, first: impl Fn(usize) -> usize + Sync) -> Result<Vec<R>> {
    let ([1, rows, width], [1, cols, other_width]) = (phi.shape(), psi.shape()) else {
        let shapes = [phi.shape(), psi.shape()];
        return Err(Error::shape(format!("features must have one block each, but their shapes are {shapes:?}")));
    };
    if width != other_width {
        return Err(Error::shape(format!(
            "features of {width} and of {other_width} numbers per sample do not fit each other"
        )));
    }
    let too_large = || Error::memory(format!("a conjugate kernel of {rows} x {cols} does not fit in memory"));
    let mut out: Vec<R> = zeros(&[rows, cols]).ok_or_else(too_large)?;
    let cpu = Cpu::<R>::new();
    out.par_chunks_mut((ROWS * cols).max(1)).enumerate().for_each(|(block, out)| {
        let row = block * ROWS;
        let col = first(row);
        let height = out.len() / cols;
        let lhs = cpu.upload(&phi.as_slice()[row * width..][..height * width], &[height, width]);
        let rhs = cpu.upload(&psi.as_slice()[col * width..], &[cols - col, width]);
        let product = cpu.matmul(&lhs, false, &rhs, true);
        let rows = out.chunks_exact_mut(cols).zip(product.as_slice().chunks_exact(cols - col));
        rows.for_each(|(out, product)| out[col..].copy_from_slice(product));
    });
    Ok(out)
}

/// Copies the upper triangle of a square matrix to the lower one.
fn mirror<R: Real>(gram: &mut [R], rows: usize) {
    for row in 1..rows {
        for col in 0..row {
            gram[row * rows + col] = gram[col * rows + row];
        }
    }
}

fn checked<R: Real>(gram: Vec<R>, [rows, cols]: [usize; 2]) -> Result<Matrix<R>> {
    let matrix = Matrix::from_vec(1, rows, cols, gram)?;
    super::stored::finite(&matrix)?;
    Ok(matrix)
}

/// The input of the last op with parameters that the output depends on.
fn read_out<O: Op>(model: &Model<O>) -> Result<Value> {
    let graph = model.graph();
    let output = model.output();
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
                "the last op with parameters is {}, which has several inputs or looks up rows, so its input is not a \
                 feature vector; pass the value of the features",
                node.op.name()
            ))),
        };
    }
    Err(Error::unsupported("the output depends on no op with parameters; pass the value of the features"))
}
