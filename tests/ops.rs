//! Every op of the registry through the public checker, and proof that the checker bites.

use tangent_kernels::backend::Arrays;
use tangent_kernels::check;
use tangent_kernels::factor::{Factor, Left};
use tangent_kernels::ops::{At, Builtin, Case, Dropout, Linear, Mul, Op};
use tangent_kernels::unary::{Log, Reciprocal, Unary};
use tangent_kernels::{Attribute, Attributes, Graph, Result};

#[test]
fn every_op_passes_the_checker() {
    let cases = check::all::<Builtin>().unwrap();
    assert!(cases >= Unary::cases().len() + 8, "only {cases} cases");
}

/// An op with a fault planted in it.
#[derive(Clone, Debug)]
struct Faulty<O> {
    op: O,
    fault: Fault,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Fault {
    /// The reverse rule of input 0 gives half.
    HalvedPull,
    /// Parameter 1 has no factor.
    DroppedFactor,
    /// The factor of parameter 0 is doubled.
    DoubledFactor,
    /// Every sample gets the sum over samples added.
    Mixed,
    /// The result is of another shape than the shape rule says.
    Shape,
}

impl<O: Op> Op for Faulty<O> {
    fn name(&self) -> &'static str {
        "faulty"
    }
    fn parse(_: &str, _: &Attributes) -> Option<Result<Self>> {
        None
    }
    fn shape(&self, inputs: &[&[usize]], parameters: &[&[usize]]) -> Result<Vec<usize>> {
        let mut shape = self.op.shape(inputs, parameters)?;
        if self.fault == Fault::Shape {
            shape.push(1);
        }
        Ok(shape)
    }
    fn forward<B: Arrays>(&self, at: &At<'_, B>) -> B::Tensor {
        let y = self.op.forward(at);
        if self.fault == Fault::Mixed { at.arrays.add(&y, &at.arrays.sum(&y, &[0])) } else { y }
    }
    fn pull<B: Arrays>(&self, at: &At<'_, B>, y: &B::Tensor, dy: &B::Tensor, input: usize) -> B::Tensor {
        let dx = self.op.pull(at, y, dy, input);
        if self.fault == Fault::HalvedPull && input == 0 { at.arrays.affine(&dx, 0.5, 0.0) } else { dx }
    }
    fn left<B: Arrays>(&self, at: &At<'_, B>, parameter: usize) -> Option<Left<B>> {
        match self.fault {
            Fault::DroppedFactor if parameter == 1 => None,
            Fault::DoubledFactor if parameter == 0 => Some(Left::Rows),
            _ => self.op.left(at, parameter),
        }
    }
    fn rows<B: Arrays>(&self, at: &At<'_, B>, _: &B::Tensor, dy: &B::Tensor, parameter: usize) -> B::Tensor {
        let left = self.op.left(at, parameter).expect("linear layers have factors");
        at.arrays.affine(&Factor::new(left, dy.clone()).jacobian(at.arrays), 2.0, 0.0)
    }
    fn cases() -> Vec<Case<Self>> {
        Vec::new()
    }
}

fn failure<O: Op>(case: Case<O>, fault: Fault) -> String {
    check::op(&case.map(|op| Faulty { op, fault })).unwrap_err().to_string()
}

#[test]
fn planted_faults_turn_the_checker_red() {
    let linear = || Case::new(Linear, &[&[4]], &[&[3, 4], &[3]]);
    let mul = || Case::new(Mul, &[&[4], &[4]], &[]);
    assert!(failure(mul(), Fault::HalvedPull).contains("the adjoint <u, J v> = <J^T u, v> of input 0"));
    assert!(failure(linear(), Fault::HalvedPull).contains("of input 0"));
    assert!(failure(linear(), Fault::DroppedFactor).contains("a factor for parameter 1"));
    assert!(failure(linear(), Fault::DoubledFactor).contains("of parameter 0"));
    assert!(failure(linear(), Fault::Mixed).contains("a batch and its samples one by one"));
    assert!(failure(linear(), Fault::Shape).contains("the shape rule"));
}

#[test]
fn the_checker_draws_inputs_where_an_op_is_defined() {
    let log = || Case::new(Unary::from(Log), &[&[4]], &[]);
    let reciprocal = || Case::new(Unary::from(Reciprocal), &[&[4]], &[]);
    let infinity = f64::INFINITY;
    assert!(check::op(&log()).is_err(), "half of the inputs have no logarithm");
    for (low, high) in [(0.5, 2.5), (0.5, infinity), (10.0, 11.0)] {
        check::op(&log().within(low, high)).unwrap();
        check::op(&reciprocal().within(-high, -low)).unwrap();
    }
}

#[test]
fn an_op_that_mixes_samples_is_refused_when_it_is_recorded() {
    #[derive(Clone, Debug)]
    struct Centre;
    impl Op for Centre {
        fn name(&self) -> &'static str {
            "centre"
        }
        fn parse(_: &str, _: &Attributes) -> Option<Result<Self>> {
            None
        }
        fn shape(&self, inputs: &[&[usize]], _: &[&[usize]]) -> Result<Vec<usize>> {
            Ok(inputs[0].to_vec())
        }
        fn forward<B: Arrays>(&self, at: &At<'_, B>) -> B::Tensor {
            at.inputs[0].clone()
        }
        fn pull<B: Arrays>(&self, _: &At<'_, B>, _: &B::Tensor, dy: &B::Tensor, _: usize) -> B::Tensor {
            dy.clone()
        }
        fn mixes_samples(&self) -> Option<&'static str> {
            Some("the mean over the batch is subtracted")
        }
        fn cases() -> Vec<Case<Self>> {
            Vec::new()
        }
    }
    tangent_kernels::ops! {
        /// The crate's ops and one of our own.
        enum Own {
            Builtin(Builtin),
            Centre(Centre),
        }
    }
    let mut graph = Graph::<Own>::with_ops(&[&[3]]).unwrap();
    let x = graph.input();
    let error = graph.apply(Centre, &[x], &[]).unwrap_err();
    assert!(error.is_unsupported());
    assert!(error.to_string().contains("centre") && error.to_string().contains("mean over the batch"), "{error}");
    assert!(graph.nodes().is_empty(), "a refused op is not recorded");
}

#[test]
fn active_dropout_is_refused_and_at_inference_it_does_nothing() {
    let mut graph = Graph::new(&[3]).unwrap();
    let x = graph.input();
    let error = graph.apply(Dropout { training: true }, &[x], &[]).unwrap_err();
    assert!(error.is_unsupported() && error.to_string().contains("dropout"), "{error}");
    assert!(graph.apply(Dropout { training: false }, &[x], &[]).is_ok());
}

#[test]
fn descriptions_are_read_or_refused_by_name() {
    let numbers = |list: &[f64]| Attribute::Numbers(list.to_vec());
    let read = |name: &str, list: &[(&str, Attribute)]| {
        let mut attributes = Attributes::default();
        list.iter().for_each(|(key, value)| attributes.insert(*key, value.clone()));
        Builtin::parse(name, &attributes).unwrap_or_else(|| panic!("no op '{name}'"))
    };
    let shape = |op: Builtin, inputs: &[&[usize]]| op.shape(inputs, &[]);
    let one = Attribute::Number(1.0);
    for (name, list, inputs, want) in [
        ("transpose12", vec![], vec![&[2usize, 3][..]], Some(vec![3usize, 2])),
        ("permute", vec![("order", numbers(&[2.0, 0.0, 1.0]))], vec![&[2, 3, 4]], Some(vec![4, 2, 3])),
        ("permute", vec![("order", numbers(&[0.0, 0.0]))], vec![&[2, 3]], None),
        ("mean1", vec![], vec![&[4, 5]], Some(vec![5])),
        ("mean", vec![("axes", numbers(&[1.0]))], vec![&[4, 0]], None),
        ("sum", vec![("axes", numbers(&[0.0, 1.0]))], vec![&[4, 5, 6]], Some(vec![6])),
        ("sum", vec![("axes", numbers(&[1.0, 1.0]))], vec![&[4, 5]], None),
        ("sum", vec![("axes", numbers(&[2.0]))], vec![&[4, 5]], None),
        ("matmul", vec![], vec![&[2, 3], &[3, 5]], Some(vec![2, 5])),
        ("matmul", vec![("transpose_b", Attribute::Flag(true))], vec![&[2, 3], &[5, 3]], Some(vec![2, 5])),
        ("matmul", vec![], vec![&[2, 3], &[5, 3]], None),
        ("matmul", vec![], vec![&[2, 3], &[1, 3, 5]], None),
        ("matmul", vec![], vec![&[3], &[3]], None),
        ("concat", vec![("axis", one.clone())], vec![&[2, 3], &[2, 4]], Some(vec![2, 7])),
        ("concat", vec![("axis", one.clone())], vec![&[2, 3], &[3, 4]], None),
        ("concat", vec![("axis", one.clone())], vec![&[2]], None),
        (
            "slice",
            vec![("axis", one.clone()), ("start", one.clone()), ("end", Attribute::Number(3.0))],
            vec![&[2, 3]],
            Some(vec![2, 2]),
        ),
        (
            "slice",
            vec![("axis", one.clone()), ("start", one.clone()), ("end", Attribute::Number(4.0))],
            vec![&[2, 3]],
            None,
        ),
        ("reshape", vec![("shape", numbers(&[-1.0, 2.0]))], vec![&[3, 4]], Some(vec![6, 2])),
        ("reshape", vec![("shape", numbers(&[-1.0, 5.0]))], vec![&[3, 4]], None),
        ("dropout", vec![], vec![&[3, 4]], Some(vec![3, 4])),
    ] {
        let got = shape(read(name, &list).unwrap(), &inputs);
        match want {
            Some(want) => assert_eq!(got.unwrap(), want, "{name}"),
            None => assert!(got.unwrap_err().is_shape(), "{name} {list:?} on {inputs:?}"),
        }
    }
    for (name, list) in [
        ("permute", vec![]),
        ("sum", vec![("axes", numbers(&[-1.0]))]),
        ("matmul", vec![("transpose_b", one.clone())]),
        ("concat", vec![("axis", Attribute::Number(0.5))]),
        ("slice", vec![("axis", one.clone()), ("start", one.clone())]),
        ("dropout", vec![("training", Attribute::Text("no".into()))]),
        ("scale", vec![("factor", Attribute::Number(f64::NAN))]),
    ] {
        let error = read(name, &list).unwrap_err().to_string();
        assert!(error.starts_with(name), "{error}");
    }
    assert!(Builtin::parse("hologram", &Attributes::default()).is_none());
}

#[test]
fn shapes_that_do_not_fit_are_refused_by_name() {
    let mut graph = Graph::new(&[4]).unwrap();
    let weight = graph.parameter("d1.weight", &[3, 5]).unwrap();
    let x = graph.input();
    let error = graph.linear(x, weight, None).unwrap_err();
    assert!(error.is_shape());
    for part in ["d1.weight", "linear", "[4]", "[3, 5]"] {
        assert!(error.to_string().contains(part), "{error} does not say {part}");
    }
    assert!(graph.parameter("d1.weight", &[1]).unwrap_err().is_name());
    assert!(graph.parameter("huge", &[usize::MAX, 2]).unwrap_err().is_shape());
    assert!(graph.add(x, Graph::new(&[4]).unwrap().input()).is_ok());
    assert!(graph.reshape(x, &[3]).unwrap_err().is_shape());
}
