//! Networks composed of functions, as a user writes them, compared with methods that share no formula.

#[path = "../examples/common/attention.rs"]
mod attention;

use attention::{Sizes, attention as attend, block, transformer};
use tangent_kernels::kernel::worst_difference;
use tangent_kernels::ops::{AvgPool2d, BatchNorm, Conv2d, MaxPool2d};
use tangent_kernels::unary::Tanh;
use tangent_kernels::{Batch, Cpu, Graph, Method, Model, Outputs, Samples, Sequential, Session};

/// Numbers between -1 and 1 without a pattern; the same ones for a seed.
fn numbers(seed: usize, count: usize) -> Vec<f64> {
    (0..count).map(|k| ((k * 37 + seed * 101 + 11) as f64 * 1.618).sin()).collect()
}

/// The model with every parameter and buffer set, variances to positive numbers.
fn valued(mut model: Model) -> Model {
    for (seed, info) in [model.parameters(), model.buffers()].concat().into_iter().enumerate() {
        let values = numbers(seed, info.shape.iter().product());
        let positive = info.name.ends_with("running_var");
        let values = values.into_iter().map(|x| if positive { 1.5 + x } else { 0.8 * x }).collect();
        model.set(&info.name, &info.shape, values).unwrap();
    }
    model
}

/// Compares the structured method with forward mode, which has its own derivative rules, and with the materialised
/// Jacobian.
fn agrees(model: Model, x: &dyn Samples<f64>) {
    let model = valued(model);
    let session = Session::new(&model, Cpu::<f64>::new()).unwrap();
    for outputs in [Outputs::Full, Outputs::TraceMean] {
        let kernel_by = |method| session.ntk().outputs(outputs).method(method).compute(x).unwrap();
        let kernel = kernel_by(Method::Structured);
        for method in [Method::ForwardMode, Method::FullJacobian] {
            let (error, component) = worst_difference(&kernel, &kernel_by(method)).unwrap();
            assert!(error < 1e-12, "{outputs:?}, {method}: {error:.2e} at {component}");
        }
    }
}

#[test]
fn a_transformer_with_tied_read_out() {
    let sizes = Sizes { words: 5, length: 3, width: 4, heads: 2, blocks: 1 };
    let ids = [0.0, 1.0, 2.0, 2.0, 2.0, 4.0, 3.0, 0.0, 1.0];
    agrees(transformer(sizes).unwrap(), &Batch::new(&ids, &[3, 3]).unwrap());
}

#[test]
fn attention_and_blocks_on_vectors() {
    let model = Model::from_fn(&[&[3, 4]], |graph, inputs| {
        let x = attend(graph, "first", inputs[0], 4)?;
        let x = block(graph, "second", x, 1)?;
        graph.mean(x, &[0])
    });
    agrees(model.unwrap(), &Batch::new(&numbers(50, 24), &[2, 3, 4]).unwrap());
}

#[test]
fn heads_must_share_the_width() {
    let mut graph = Graph::new(&[3, 4]).unwrap();
    let x = graph.input();
    let error = attend(&mut graph, "a", x, 3).unwrap_err();
    assert!(error.is_shape() && error.to_string().contains("3 heads"), "{error}");
}

#[test]
fn a_function_of_two_inputs() {
    let model = Model::from_fn(&[&[3], &[2, 3]], |graph, inputs| {
        let weight = graph.parameter("w", &[3, 3])?;
        let x = graph.linear(inputs[0], weight, None)?;
        let x = graph.unary(Tanh, x)?;
        let z = graph.mean(inputs[1], &[0])?;
        let z = graph.linear(z, weight, None)?;
        graph.mul(x, z)
    });
    let (x, z) = (numbers(60, 9), numbers(61, 18));
    agrees(model.unwrap(), &[Batch::new(&x, &[3, 3]).unwrap(), Batch::new(&z, &[3, 2, 3]).unwrap()]);
}

/// A network with every convolutional layer, in the NTK parameterisation.
fn convolutional() -> Model {
    let network = Sequential::ntk(&[2, 6, 6])
        .conv2d("conv1", 4, [3, 3], Conv2d::new().padding([1, 1]))
        .batch_norm2d("norm")
        .tanh()
        .max_pool2d(MaxPool2d::new([2, 2]))
        .conv2d_without_bias("conv2", 4, [2, 2], Conv2d::new().groups(2).padding([1, 1]))
        .tanh()
        .avg_pool2d(AvgPool2d::new([2, 2]))
        .global_avg_pool2d()
        .linear("out", 2);
    network.build().unwrap()
}

#[test]
fn a_sequential_convolutional_network() {
    agrees(convolutional(), &Batch::new(&numbers(70, 2 * 72), &[2, 2, 6, 6]).unwrap());
}

/// The same network recorded by hand, with every division by sqrt(fan-in) written out.
#[test]
fn layers_are_divided_by_the_root_of_their_fan_in() {
    let by_hand = Model::from_fn(&[&[2, 6, 6]], |graph, inputs| {
        let weight = graph.parameter("conv1.weight", &[4, 2, 3, 3])?;
        let bias = graph.parameter("conv1.bias", &[4])?;
        let x = graph.conv2d(inputs[0], Conv2d::new().padding([1, 1]), weight, Some(bias))?;
        let affine = [graph.parameter("norm.weight", &[4])?, graph.parameter("norm.bias", &[4])?];
        let statistics = [graph.buffer("norm.running_mean", &[4])?, graph.buffer("norm.running_var", &[4])?];
        let x = graph.batch_norm(x, BatchNorm::new2d(1e-5), Some(affine), statistics)?;
        let x = graph.unary(Tanh, x)?;
        let x = graph.max_pool2d(x, MaxPool2d::new([2, 2]))?;
        let x = graph.scale(x, 1.0 / 8f64.sqrt())?; // 4 channels / 2 groups, 2 x 2
        let weight = graph.parameter("conv2.weight", &[4, 2, 2, 2])?;
        let x = graph.conv2d(x, Conv2d::new().groups(2).padding([1, 1]), weight, None)?;
        let x = graph.unary(Tanh, x)?;
        let x = graph.avg_pool2d(x, AvgPool2d::new([2, 2]))?;
        let x = graph.global_avg_pool2d(x)?;
        let x = graph.scale(x, 0.5)?; // 4 features
        let weight = graph.parameter("out.weight", &[2, 4])?;
        let bias = graph.parameter("out.bias", &[2])?;
        graph.linear(x, weight, Some(bias))
    });
    let x = numbers(70, 2 * 72);
    let run = |model: Model| {
        let model = valued(model);
        Session::new(&model, Cpu::<f64>::new()).unwrap().run(&Batch::new(&x, &[2, 2, 6, 6]).unwrap()).unwrap()
    };
    assert_eq!(run(convolutional()), run(by_hand.unwrap()));
}

#[test]
fn convolutions_that_do_not_fit_are_refused_by_name() {
    let network = |conv| Sequential::ntk(&[3, 4, 4]).conv2d("first", 4, [3, 3], conv).build();
    for (conv, why) in [(Conv2d::new().groups(2), "groups"), (Conv2d::new().groups(0), "groups")] {
        let error = network(conv).unwrap_err();
        assert!(error.is_shape() && error.to_string().contains("first.weight"), "{error}");
        assert!(error.to_string().contains(why), "{error}");
    }
    let vector = Sequential::ntk(&[3]).conv2d("first", 4, [3, 3], Conv2d::new()).build();
    assert!(vector.unwrap_err().is_shape());
}

#[test]
fn filled_parameters_have_values_from_the_start() {
    let model = convolutional();
    assert_eq!(model.parameter("norm.weight").unwrap(), [1.0; 4]);
    assert_eq!(model.parameter("norm.bias").unwrap(), [0.0; 4]);
    assert_eq!(model.parameter("norm.running_mean").unwrap(), [0.0; 4]);
    assert_eq!(model.parameter("norm.running_var").unwrap(), [1.0; 4]);
    assert!(model.parameter("conv1.weight").is_err());
    assert!(Graph::new(&[1]).unwrap().parameter_filled("w", &[1], f64::NAN).unwrap_err().is_value());
}

#[cfg(feature = "rand")]
#[test]
fn drawing_keeps_filled_parameters() {
    use tangent_kernels::Parameterisation;

    for parameterisation in [Parameterisation::Ntk, Parameterisation::Standard] {
        let mut model = convolutional().with_parameterisation(parameterisation);
        model.set("norm.weight", &[4], vec![7.0; 4]).unwrap();
        model.set("norm.running_var", &[4], vec![2.0; 4]).unwrap();
        model.initialise(1).unwrap();
        assert_eq!(model.parameter("norm.weight").unwrap(), [1.0; 4]);
        assert_eq!(model.parameter("norm.running_var").unwrap(), [2.0; 4]);
        let drawn = model.parameter("conv2.weight").unwrap();
        assert!(drawn.iter().any(|&x| x != drawn[0]), "{drawn:?}");
    }
}
