//! An op that is not in the library: a layer of radial basis functions, y_o = exp(-|x - c_o|^2 / 2).
//!
//! `Rbf` has everything that an op needs: a shape rule, the result, the cotangent of its input, and the per-sample gradients of its
//! parameter. From these follow its place on the tape, forward mode, and a kernel on every device. The checker of the library's
//! own ops compares them.

use tangent_kernels::ops::Arrays;
use tangent_kernels::ops::InputOperand;
use tangent_kernels::ops::{Builtin, Case, Op, OpContext, expect_arity};
use tangent_kernels::unary::{Exp, Unary};
use tangent_kernels::{Attributes, Batch, Cpu, Error, Graph, Model, Result, Session, check};

/// `y[n,o] = exp(-|x[n] - c[o]|^2 / 2)` on `[i]`. Parameter: the centres c, `[o, i]`. Their per-sample gradient is
/// dy y (x - c).
#[derive(Clone, Debug)]
struct Rbf;

impl Rbf {
    /// dy y, the factor of the exponent's derivative: `[n, o]`.
    fn weighted<B: Arrays>(at: &OpContext<'_, B>, y: &B::Tensor, dy: &B::Tensor) -> B::Tensor {
        at.arrays.mul(dy, y)
    }
}

impl Op for Rbf {
    fn name(&self) -> &'static str {
        "rbf"
    }

    fn parse(name: &str, _attributes: &Attributes) -> Option<Result<Self>> {
        (name == "rbf").then_some(Ok(Rbf))
    }

    /// Shapes are those of one sample. An error names both.
    fn shape(&self, inputs: &[&[usize]], parameters: &[&[usize]]) -> Result<Vec<usize>> {
        expect_arity(self, inputs, parameters, 1, 1..=1)?;
        match (inputs[0], parameters[0]) {
            (&[i], &[o, own]) if i == own => Ok(vec![o]),
            (x, c) => Err(Error::shape(format!("rbf: an input of shape {x:?} does not fit centres of shape {c:?}"))),
        }
    }

    /// The first axis of arrays is the sample. |x - c|^2 = |x|^2 - 2 x c + |c|^2.
    fn forward<B: Arrays>(&self, at: &OpContext<'_, B>) -> B::Tensor {
        let (arrays, x, c) = (at.arrays, at.inputs[0], at.parameters[0]);
        let square = |x: &B::Tensor| arrays.sum(&arrays.mul(x, x), &[1]);
        let centres = arrays.reshape(&square(c), &[1, at.parameter_shape(0)[0]]);
        let squares = arrays.add(&square(x), &centres);
        let products = arrays.affine(&arrays.matmul(x, false, c, true), -2.0, 0.0);
        let distances = arrays.add(&squares, &products);
        arrays.apply(Unary::from(Exp), &arrays.affine(&distances, -0.5, 0.0))
    }

    /// dx = sum over o of dy y (c_o - x)
    fn pull<B: Arrays>(&self, at: &OpContext<'_, B>, y: &B::Tensor, dy: &B::Tensor, _input: usize) -> B::Tensor {
        let (arrays, g) = (at.arrays, Rbf::weighted(at, y, dy));
        let towards = arrays.matmul(&g, false, at.parameters[0], false);
        let away = arrays.mul(at.inputs[0], &arrays.affine(&arrays.sum(&g, &[1]), -1.0, 0.0));
        arrays.add(&towards, &away)
    }

    /// The gradient has no factor form, so `rows` gives the materialised gradients.
    fn input_operand<B: Arrays>(&self, _at: &OpContext<'_, B>, parameter: usize) -> Option<InputOperand<B>> {
        (parameter == 0).then_some(InputOperand::Rows)
    }

    fn rows<B: Arrays>(&self, at: &OpContext<'_, B>, y: &B::Tensor, dy: &B::Tensor, _parameter: usize) -> B::Tensor {
        let (arrays, (n, i)) = (at.arrays, (at.input_shape(0)[0], at.input_shape(0)[1]));
        let o = at.parameter_shape(0)[0];
        let x = arrays.reshape(at.inputs[0], &[n, 1, i]);
        let c = arrays.reshape(&arrays.affine(at.parameters[0], -1.0, 0.0), &[1, o, i]);
        let g = arrays.reshape(&Rbf::weighted(at, y, dy), &[n, o, 1]);
        arrays.reshape(&arrays.mul(&g, &arrays.add(&x, &c)), &[n, o * i])
    }

    fn cases() -> Vec<Case<Self>> {
        vec![Case::new(Rbf, &[&[3]], &[&[4, 3]]), Case::new(Rbf, &[&[1]], &[&[1, 1]])]
    }
}

tangent_kernels::ops! {
    /// The library's ops and ours.
    enum Ops {
        Builtin(Builtin),
        Rbf(Rbf),
    }
}

fn main() -> std::result::Result<(), Box<dyn std::error::Error>> {
    for case in Rbf::cases() {
        check::op(&case)?;
    }
    println!("rbf: its rules agree with forward mode, differences and each other");

    // f(x) = w . rbf(x), of three numbers
    let mut graph = Graph::<Ops>::with_ops(&[&[3]])?;
    let (centres, weight) = (graph.parameter("centres", &[8, 3])?, graph.parameter("weight", &[1, 8])?);
    let x = graph.input();
    let hidden = graph.apply(Rbf, &[x], &[centres])?;
    let output = graph.linear(hidden, weight, None)?;
    let mut model = Model::new(graph, output)?;
    model.set("centres", &[8, 3], (0..24).map(|k| f64::from(k).sin()).collect())?;
    model.set("weight", &[1, 8], (0..8).map(|k| f64::from(k).cos()).collect())?;

    let numbers: Vec<f64> = (0..30).map(|k| f64::from(k * k).sin()).collect();
    let samples = Batch::new(&numbers, &[10, 3])?;
    let session = Session::new(&model, Cpu::<f64>::new())?;
    let kernel = session.ntk().compute(&samples)?;
    for (name, component) in kernel.components() {
        println!("{name:<8} trace {:.4}", component.trace());
    }
    let worst = session.ntk().verify(&samples, 4)?.worst();
    println!("all methods agree to {worst:.1e}");
    if worst < 1e-12 { Ok(()) } else { Err("they should agree to 1e-12".into()) }
}
