//! Every op of the registry with the public checker, and tests that the checker finds planted faults.

use tangent_kernels::check;
use tangent_kernels::extend::Factor;
use tangent_kernels::ops::InputOperand;
use tangent_kernels::ops::{Arrays, Storage};
use tangent_kernels::ops::{
    AvgPool2d, BatchNorm, Builtin, Case, Conv1d, Conv2d, ConvTranspose2d, Dropout, Embedding, GroupNorm, LayerNorm,
    Linear, MaxPool2d, Mul, Op, OpContext, Prelu, Softmax,
};
use tangent_kernels::unary::{Log, Reciprocal, Unary};
use tangent_kernels::{Attribute, Attributes, Cpu, Graph, Result};

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
    /// The reverse rule of input 0 returns half of the cotangent.
    HalvedPull,
    /// Parameter 1 has no factor.
    DroppedFactor,
    /// The factor of parameter 0 is doubled.
    DoubledFactor,
    /// The sum over samples is added to every sample.
    Mixed,
    /// The result has another shape than the shape rule returns.
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
    fn forward<B: Arrays>(&self, at: &OpContext<'_, B>) -> B::Tensor {
        let y = self.op.forward(at);
        if self.fault == Fault::Mixed { at.arrays.add(&y, &at.arrays.sum(&y, &[0])) } else { y }
    }
    fn pull<B: Arrays>(&self, at: &OpContext<'_, B>, y: &B::Tensor, dy: &B::Tensor, input: usize) -> B::Tensor {
        let dx = self.op.pull(at, y, dy, input);
        if self.fault == Fault::HalvedPull && input == 0 { at.arrays.affine(&dx, 0.5, 0.0) } else { dx }
    }
    fn input_operand<B: Arrays>(&self, at: &OpContext<'_, B>, parameter: usize) -> Option<InputOperand<B>> {
        match self.fault {
            Fault::DroppedFactor if parameter == 1 => None,
            Fault::DoubledFactor if parameter == 0 => Some(InputOperand::Rows),
            _ => self.op.input_operand(at, parameter),
        }
    }
    fn rows<B: Arrays>(&self, at: &OpContext<'_, B>, _: &B::Tensor, dy: &B::Tensor, parameter: usize) -> B::Tensor {
        let left = self.op.input_operand(at, parameter).expect("linear layers have factors");
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
        fn forward<B: Arrays>(&self, at: &OpContext<'_, B>) -> B::Tensor {
            at.inputs[0].clone()
        }
        fn pull<B: Arrays>(&self, _: &OpContext<'_, B>, _: &B::Tensor, dy: &B::Tensor, _: usize) -> B::Tensor {
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
        /// The crate's ops and one op of this test.
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

/// Parses a description: `key=value` per attribute. 3 is a number, 3,4 and 3, are lists, and all other values are flags
/// or words.
fn attributes(text: &str) -> Attributes {
    let mut attributes = Attributes::default();
    for (key, value) in text.split_whitespace().map(|pair| pair.split_once('=').unwrap()) {
        let numbers: Result<Vec<f64>, _> = value.trim_end_matches(',').split(',').map(str::parse).collect();
        let value = match (numbers, value) {
            (Ok(list), _) if value.contains(',') => Attribute::Numbers(list),
            (Ok(list), _) => Attribute::Number(list[0]),
            (_, "true" | "false") => Attribute::Flag(value == "true"),
            _ => Attribute::Text(value.into()),
        };
        attributes.insert(key, value);
    }
    attributes
}

/// The shape of the result of an op with this description.
fn shape(name: &str, text: &str, inputs: &[&[usize]], parameters: &[&[usize]]) -> Result<Vec<usize>> {
    let op = Builtin::parse(name, &attributes(text)).unwrap_or_else(|| panic!("no op '{name}'"));
    op.unwrap_or_else(|error| panic!("{name} {text}: {error}")).shape(inputs, parameters)
}

type Shapes<'a> = &'a [&'a [usize]];

#[test]
fn every_op_is_found_by_its_name() {
    for case in Builtin::cases() {
        let name = case.op.name();
        match Builtin::parse(name, &Attributes::default()) {
            Some(Ok(op)) => assert_eq!(op.name(), name),
            Some(Err(error)) => assert!(error.to_string().starts_with(name), "{error}"),
            None => panic!("no op is called {name}"),
        }
    }
}

#[test]
fn descriptions_give_shapes() {
    let table: &[(&str, &str, Shapes<'_>, Shapes<'_>, &[usize])] = &[
        ("transpose12", "", &[&[2, 3]], &[], &[3, 2]),
        ("permute", "order=2,0,1", &[&[2, 3, 4]], &[], &[4, 2, 3]),
        ("mean1", "", &[&[4, 5]], &[], &[5]),
        ("sum", "axes=0,1", &[&[4, 5, 6]], &[], &[6]),
        ("matmul", "", &[&[2, 3], &[3, 5]], &[], &[2, 5]),
        ("matmul", "transpose_b=true", &[&[2, 3], &[5, 3]], &[], &[2, 5]),
        ("concat", "axis=1", &[&[2, 3], &[2, 4]], &[], &[2, 7]),
        ("slice", "axis=1 start=1 end=3", &[&[2, 3]], &[], &[2, 2]),
        ("reshape", "shape=-1,2", &[&[3, 4]], &[], &[6, 2]),
        ("reshape", "shape=6,2", &[&[3, 4]], &[], &[6, 2]),
        ("mean", "axes=0,2", &[&[4, 5, 6]], &[], &[5]),
        ("dropout", "", &[&[3, 4]], &[], &[3, 4]),
        ("div", "", &[&[3, 4], &[3, 1]], &[], &[3, 4]),
        ("conv2d", "", &[&[3, 9, 8]], &[&[4, 3, 3, 2]], &[4, 7, 7]),
        ("conv2d", "stride=2 padding=1,0 dilation=1,2 groups=3", &[&[3, 9, 8]], &[&[6, 1, 3, 2], &[6]], &[6, 5, 3]),
        ("conv2d", "padding=1,0,2,3", &[&[1, 4, 4]], &[&[1, 1, 3, 3]], &[1, 5, 5]),
        ("conv2d", "padding=same dilation=3,1", &[&[1, 4, 4]], &[&[1, 1, 2, 4]], &[1, 4, 4]),
        ("conv2d", "padding=valid", &[&[1, 4, 4]], &[&[1, 1, 2, 4]], &[1, 3, 1]),
        ("conv1d", "stride=2, padding=1 dilation=2,", &[&[2, 9]], &[&[5, 2, 3]], &[5, 4]),
        ("conv1d", "padding=0,4", &[&[2, 9]], &[&[5, 2, 3]], &[5, 11]),
        ("conv1d", "padding=same groups=2", &[&[2, 9]], &[&[4, 1, 6]], &[4, 9]),
        ("conv_transpose2d", "", &[&[2, 4, 3]], &[&[2, 5, 3, 2]], &[5, 6, 4]),
        (
            "conv_transpose2d",
            "stride=2 padding=1,1 output_padding=1,0 dilation=1,2 groups=2",
            &[&[2, 4, 3]],
            &[&[2, 5, 3, 3], &[10]],
            &[10, 8, 7],
        ),
        ("conv_transpose2d", "padding=1,0,0,2", &[&[1, 3, 3]], &[&[1, 1, 2, 2]], &[1, 3, 2]),
        ("max_pool2d", "kernel=2", &[&[3, 5, 4]], &[], &[3, 2, 2]),
        ("max_pool2d", "kernel=3,2 stride=2 padding=1 ceil_mode=true", &[&[3, 6, 4]], &[], &[3, 4, 3]),
        ("max_pool2d", "kernel=2 stride=1 dilation=3", &[&[3, 5, 4]], &[], &[3, 2, 1]),
        ("max_pool2d", "kernel=3 stride=1 padding=1,0,0,1", &[&[3, 5, 4]], &[], &[3, 4, 3]),
        // The last window would start in the padding after the plane.
        ("avg_pool2d", "kernel=2 stride=2 padding=1 ceil_mode=true", &[&[1, 3, 3]], &[], &[1, 2, 2]),
        ("avg_pool2d", "kernel=2 stride=3 count_include_pad=false dilation=1", &[&[1, 6, 5]], &[], &[1, 2, 2]),
        ("global_avg_pool2d", "", &[&[3, 4, 5]], &[], &[3]),
        ("zero_pad2d", "pad=1,2,3,0", &[&[1, 2, 2]], &[], &[1, 5, 5]),
        ("zero_pad2d", "pad=2", &[&[1, 2, 2]], &[], &[1, 6, 6]),
        ("batch_norm1d", "", &[&[3]], &[&[3], &[3], &[3], &[3]], &[3]),
        ("batch_norm1d", "eps=1e-3", &[&[3, 5]], &[&[3], &[3]], &[3, 5]),
        ("batch_norm2d", "eps=1e-3 training=false", &[&[3, 2, 5]], &[&[3], &[3], &[3], &[3]], &[3, 2, 5]),
        ("layer_norm", "", &[&[2, 5]], &[&[5], &[5]], &[2, 5]),
        ("layer_norm", "axes=2 eps=0", &[&[2, 3, 5]], &[&[3, 5]], &[2, 3, 5]),
        ("group_norm", "groups=2", &[&[4, 3]], &[&[4], &[4]], &[4, 3]),
        ("rms_norm", "eps=1e-6", &[&[4, 3]], &[&[3]], &[4, 3]),
        ("embedding", "", &[&[7]], &[&[10, 3]], &[7, 3]),
        ("softmax", "", &[&[2, 3]], &[], &[2, 3]),
        ("log_softmax", "axis=-2", &[&[2, 3]], &[], &[2, 3]),
        ("prelu", "", &[&[2, 3]], &[&[2]], &[2, 3]),
        ("gain", "", &[&[2, 3, 4]], &[&[3, 1]], &[2, 3, 4]),
        ("shift", "", &[&[2, 3, 4]], &[&[4]], &[2, 3, 4]),
    ];
    let names: Vec<&str> = Builtin::cases().iter().map(|case| case.op.name()).collect();
    for &(name, text, inputs, parameters, want) in table {
        let alias = ["transpose12", "mean1", "global_avg_pool2d"].contains(&name);
        assert!(alias || names.contains(&name), "{name} does not go through the checker");
        assert_eq!(shape(name, text, inputs, parameters).unwrap(), want, "{name} {text}");
    }
}

/// Shapes and attributes that do not match, including hostile ones, give an error with op and shape. They never panic
/// or overflow.
#[test]
fn descriptions_that_do_not_fit_are_refused() {
    let plane: Shapes<'_> = &[&[2, 5, 4]];
    let conv: Shapes<'_> = &[&[4, 2, 3, 3]];
    let four: Shapes<'_> = &[&[2], &[2], &[2], &[2]];
    let table: &[(&str, &str, Shapes<'_>, Shapes<'_>)] = &[
        ("permute", "order=0,0", &[&[2, 3]], &[]),
        ("mean", "axes=1,", &[&[4, 0]], &[]),
        ("sum", "axes=1,1", &[&[4, 5]], &[]),
        ("sum", "axes=2,", &[&[4, 5]], &[]),
        ("matmul", "", &[&[2, 3], &[5, 3]], &[]),
        ("matmul", "", &[&[2, 3], &[1, 3, 5]], &[]),
        ("matmul", "", &[&[3], &[3]], &[]),
        ("concat", "axis=1", &[&[2, 3], &[3, 4]], &[]),
        ("concat", "axis=1", &[&[2]], &[]),
        ("slice", "axis=1 start=1 end=4", &[&[2, 3]], &[]),
        ("reshape", "shape=-1,5", &[&[3, 4]], &[]),
        ("div", "", &[&[3, 4], &[4]], &[]),
        ("conv2d", "", &[&[5, 4]], conv),
        ("conv2d", "", plane, &[&[4, 2, 3]]),
        ("conv2d", "", plane, &[&[4, 3, 3, 3]]),
        ("conv2d", "", plane, &[&[4, 2, 3, 3], &[3]]),
        ("conv2d", "", plane, &[&[4, 2, 3, 5]]),
        ("conv2d", "", plane, &[&[4, 2, 0, 3]]),
        ("conv2d", "", plane, &[&[0, 2, 3, 3]]),
        ("conv2d", "", &[&[0, 5, 4]], &[&[4, 0, 3, 3]]),
        ("conv2d", "padding=9", &[&[2, 0, 4]], conv),
        ("conv2d", "stride=0", plane, conv),
        ("conv2d", "dilation=0,1", plane, conv),
        ("conv2d", "dilation=4294967295", plane, conv),
        ("conv2d", "dilation=4294967295", plane, &[&[4, 2, usize::MAX, 3]]),
        ("conv2d", "dilation=4294967295 padding=same", plane, &[&[4, 2, usize::MAX, 3]]),
        ("conv2d", "groups=0", plane, conv),
        ("conv2d", "groups=3", &[&[6, 5, 4]], conv),
        ("conv2d", "groups=4294967295", plane, &[&[4, usize::MAX, 3, 3]]),
        ("conv2d", "stride=2 padding=same", plane, conv),
        ("conv1d", "", &[&[2, 4]], &[&[3, 2, 5]]),
        ("conv1d", "stride=0", &[&[2, 4]], &[&[3, 2, 2]]),
        ("conv1d", "", &[&[2, 4, 4]], &[&[3, 2, 5]]),
        ("conv_transpose2d", "", plane, conv),
        ("conv_transpose2d", "", plane, &[&[2, 3, 3, 3], &[2]]),
        ("conv_transpose2d", "", &[&[5, 4]], &[&[2, 3, 3, 3]]),
        ("conv_transpose2d", "", plane, &[&[2, 3, 3]]),
        ("conv_transpose2d", "", &[&[2, 0, 4]], &[&[2, 3, 3, 3]]),
        ("conv_transpose2d", "groups=2", plane, &[&[2, usize::MAX, 3, 3]]),
        ("conv_transpose2d", "stride=2 output_padding=2", plane, &[&[2, 3, 3, 3]]),
        ("conv_transpose2d", "padding=9", plane, &[&[2, 3, 3, 3]]),
        ("conv_transpose2d", "stride=4294967295", &[&[2, usize::MAX, 4]], &[&[2, 3, 3, 3]]),
        ("conv_transpose2d", "groups=0", plane, &[&[2, 3, 3, 3]]),
        ("conv_transpose2d", "stride=0", plane, &[&[2, 3, 3, 3]]),
        ("max_pool2d", "kernel=2", &[&[5, 4]], &[]),
        ("max_pool2d", "kernel=5", plane, &[]),
        ("max_pool2d", "kernel=0", plane, &[]),
        ("max_pool2d", "kernel=2 stride=0 ceil_mode=true", plane, &[]),
        ("max_pool2d", "kernel=3 padding=2", plane, &[]),
        ("max_pool2d", "kernel=4294967295 dilation=4294967295 padding=2147483647", plane, &[]),
        // A window with padding alone has no largest entry.
        ("max_pool2d", "kernel=2 padding=1 dilation=2", &[&[1, 1, 5]], &[]),
        ("avg_pool2d", "kernel=1", &[&[1, 0, 5]], &[]),
        ("avg_pool2d", "kernel=4294967295", plane, &[]),
        ("avg_pool2d", "kernel=2 padding=4294967295 ceil_mode=true", plane, &[]),
        ("zero_pad2d", "pad=1", &[&[2, 3]], &[]),
        ("zero_pad2d", "pad=1", &[&[2, usize::MAX, 3]], &[]),
        ("batch_norm1d", "", plane, four),
        ("batch_norm2d", "", &[&[2, 3]], four),
        ("batch_norm2d", "", plane, &[&[2], &[2], &[2]]),
        ("batch_norm2d", "", plane, &[&[2], &[1]]),
        ("layer_norm", "", &[&[2, 3]], &[&[2]]),
        ("layer_norm", "axes=3", &[&[2, 3]], &[]),
        ("layer_norm", "axes=0", &[&[2, 3]], &[]),
        ("layer_norm", "", &[&[2, 0]], &[]),
        ("layer_norm", "axes=2", &[&[usize::MAX, 3]], &[]),
        ("group_norm", "groups=3", &[&[4, 3]], &[]),
        ("group_norm", "groups=0", &[&[4, 3]], &[]),
        ("group_norm", "groups=2", &[&[4, 3]], &[&[4]]),
        ("group_norm", "groups=1", &[&[]], &[]),
        ("rms_norm", "eps=1", &[&[2, 3]], &[&[2]]),
        ("rms_norm", "eps=1", &[&[]], &[]),
        ("embedding", "", &[&[4]], &[&[0, 3]]),
        ("embedding", "", &[&[4]], &[&[3]]),
        ("softmax", "axis=2", &[&[2, 3]], &[]),
        ("softmax", "axis=-3", &[&[2, 3]], &[]),
        ("log_softmax", "", &[&[]], &[]),
        ("prelu", "", &[&[2, 3]], &[&[3]]),
        ("prelu", "", &[&[]], &[&[1]]),
        ("gain", "", &[&[1, 3]], &[&[2, 3]]),
        ("shift", "", &[&[3]], &[&[1, 3]]),
    ];
    for &(name, text, inputs, parameters) in table {
        let error = shape(name, text, inputs, parameters).expect_err(name);
        assert!(error.is_shape() && error.to_string().starts_with(name), "{name} {text}: {error}");
    }
}

#[test]
fn attributes_are_refused_by_name() {
    for (name, text) in [
        ("permute", ""),
        ("sum", "axes=-1,"),
        ("matmul", "transpose_b=1"),
        ("concat", "axis=0.5"),
        ("slice", "axis=1 start=1"),
        ("dropout", "training=no"),
        ("scale", "factor=NaN"),
        ("reshape", "shape=-2,1"),
        ("reshape", "shape=-1,-1"),
        ("conv2d", "stride=-1"),
        ("conv2d", "stride=1,1,1"),
        ("conv2d", "padding=-1,0"),
        ("conv2d", "padding=1,2,3"),
        ("conv2d", "padding=reflect"),
        ("conv2d", "groups=1.5"),
        ("conv1d", "stride=1,1"),
        ("conv1d", "padding=1,2,3,4"),
        ("conv_transpose2d", "padding=same"),
        ("conv_transpose2d", "output_padding=1e12"),
        ("max_pool2d", ""),
        ("max_pool2d", "kernel=2 ceil_mode=1"),
        ("avg_pool2d", "kernel=2 dilation=2"),
        ("zero_pad2d", ""),
        ("zero_pad2d", "pad=-1,0,0,0"),
        ("batch_norm1d", "eps=inf"),
        ("batch_norm2d", "training=1"),
        ("layer_norm", "axes=-1"),
        ("group_norm", ""),
        ("rms_norm", ""),
        ("softmax", "axis=0.5"),
        ("log_softmax", "axis=last"),
    ] {
        let error = Builtin::parse(name, &attributes(text)).expect(name).expect_err(name).to_string();
        assert!(error.starts_with(name), "{name} {text}: {error}");
    }
    assert!(Builtin::parse("hologram", &Attributes::default()).is_none());
}

/// The result of an op on one sample of the given numbers, and the cotangent of its input for the cotangent `dy`.
fn computed(op: &impl Op, x: &[f64], shape: &[usize], parameters: &[&[f64]], dy: &[f64]) -> [Vec<f64>; 2] {
    let cpu = Cpu::<f64>::new();
    let shape = [&[1], shape].concat();
    let parameters: Vec<_> = parameters.iter().map(|p| cpu.upload(p, &[p.len()])).collect();
    let (x, parameters) = (cpu.upload(x, &shape), parameters.iter().collect::<Vec<_>>());
    let at = OpContext { arrays: &cpu, inputs: &[&x], parameters: &parameters };
    let y = op.forward(&at);
    let dx = op.pull(&at, &y, &cpu.upload(dy, cpu.shape(&y)), 0);
    [y, dx].map(|array| cpu.read(&array).unwrap())
}

#[test]
fn softmax_does_not_overflow_and_its_logarithm_keeps_its_digits() {
    let [y, dx] = computed(&Softmax::along(-1), &[1000.0, 0.0], &[2], &[], &[1.0, 2.0]);
    assert_eq!((y, dx), (vec![1.0, 0.0], vec![0.0, 0.0]));
    let [y, dx] = computed(&Softmax::log_along(-1), &[1000.0, 960.0, -1e300], &[3], &[], &[1.0, 0.0, 0.0]);
    let small = (-40f64).exp();
    assert_eq!((y[1], y[2]), (-40.0, -1e300));
    assert!((y[0] + small).abs() < 1e-15 * small && (dx[1] + small).abs() < 1e-15 * small, "{y:?}, {dx:?}");
}

#[test]
fn the_derivative_of_a_prelu_at_0_is_its_slope() {
    let [y, dx] = computed(&Prelu, &[-2.0, 0.0, 3.0], &[3], &[&[0.25]], &[1.0, 2.0, 3.0]);
    assert_eq!((y, dx), (vec![-0.5, 0.0, 3.0], vec![0.25, 0.5, 3.0]));
}

/// (x - mean) / sqrt(variance + eps), then times a weight and more by a bias, where they are.
#[test]
fn batch_norms_go_by_their_statistics() {
    let op = BatchNorm::new1d(0.25);
    let (mean, variance): (&[f64], &[f64]) = (&[1.0, -2.0], &[2.0, 0.75]);
    let [y, dx] = computed(&op, &[4.0, 3.0], &[2], &[mean, variance], &[1.5, 1.0]);
    assert_eq!((y, dx), (vec![2.0, 5.0], vec![1.0, 1.0]));
    let [y, dx] = computed(&op, &[4.0, 3.0], &[2], &[&[2.0, -1.0], &[0.5, 8.0], mean, variance], &[1.5, 1.0]);
    assert_eq!((y, dx), (vec![4.5, 3.0], vec![2.0, -1.0]));
}

#[test]
fn a_number_that_is_no_row_of_a_table_gives_nan() {
    let cpu = Cpu::<f64>::new();
    let (ids, table) = (cpu.upload(&[2.0, -1.0, f64::NAN, 1.0], &[1, 4]), cpu.upload(&[5.0, 7.0], &[2, 1]));
    let at = OpContext { arrays: &cpu, inputs: &[&ids], parameters: &[&table] };
    let y = cpu.read(&Embedding.forward(&at)).unwrap();
    assert!(y[..3].iter().all(|y| y.is_nan()) && y[3] == 7.0, "{y:?}");
    assert_eq!(Embedding.rows_looked_up(0, &[&[2, 1]]), Some(2));
}

#[test]
fn every_op_is_recorded_by_its_method() -> Result<()> {
    let mut graph = Graph::with_inputs(&[&[4, 8, 6], &[5]])?;
    let [x, ids] = graph.inputs()[..] else { panic!("two inputs") };
    let mut next = 0;
    let mut parameter = |graph: &mut Graph, shape: &[usize]| {
        next += 1;
        graph.parameter(format!("p{next}"), shape)
    };
    let (w, b) = (parameter(&mut graph, &[6, 2, 3, 3])?, parameter(&mut graph, &[6])?);
    let y = graph.conv2d(x, Conv2d::new().groups(2).padding([1, 1]), w, Some(b))?;
    let statistics = [graph.buffer("mean", &[6])?, graph.buffer("var", &[6])?];
    let affine = [parameter(&mut graph, &[6])?, parameter(&mut graph, &[6])?];
    let y = graph.batch_norm(y, BatchNorm::new2d(1e-5), Some(affine), statistics)?;
    let y = graph.batch_norm(y, BatchNorm::new2d(1e-5), None, statistics)?;
    let y = graph.group_norm(y, GroupNorm { groups: 3, eps: 1e-5 }, Some(affine))?;
    let slope = parameter(&mut graph, &[6])?;
    let y = graph.prelu(y, slope)?;
    let y = graph.max_pool2d(y, MaxPool2d::new([2, 2]))?;
    let y = graph.zero_pad2d(y, [0, 1, 0, 0])?;
    let y = graph.avg_pool2d(y, AvgPool2d::new([2, 2]))?;
    assert_eq!(graph.shape(y), [6, 2, 2]);
    let w = parameter(&mut graph, &[6, 3, 2, 2])?;
    let y = graph.conv_transpose2d(y, ConvTranspose2d::new().stride([2, 2]), w, None)?;
    assert_eq!(graph.shape(y), [3, 4, 4]);
    let y = graph.global_avg_pool2d(y)?;
    let table = parameter(&mut graph, &[10, 4])?;
    let e = graph.embedding(ids, table)?;
    assert_eq!(graph.shape(e), [5, 4]);
    let (w, gain) = (parameter(&mut graph, &[3, 5, 2])?, parameter(&mut graph, &[3])?);
    let e = graph.conv1d(e, Conv1d::new(), w, None)?;
    let e = graph.layer_norm(e, LayerNorm::new(1e-5), &[gain])?;
    let e = graph.rms_norm(e, 1e-6, Some(gain))?;
    let e = graph.softmax(e, 0)?;
    let e = graph.sum(e, &[0])?;
    let z = graph.div(y, e)?;
    let z = graph.gain(z, gain)?;
    let z = graph.shift(z, gain)?;
    let z = graph.log_softmax(z, -1)?;
    assert_eq!(graph.shape(z), [3]);
    Ok(())
}

#[test]
fn training_batch_norm_is_refused_when_it_is_recorded() {
    let norm = Builtin::parse("batch_norm1d", &attributes("training=true")).unwrap().unwrap();
    let mut graph = Graph::new(&[3]).unwrap();
    let statistics = ["mean", "var"].map(|name| graph.buffer(name, &[3]).unwrap());
    let error = graph.apply(norm, &[graph.input()], &statistics).unwrap_err();
    assert!(error.is_unsupported() && error.to_string().contains("training-mode batch norm"), "{error}");
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
