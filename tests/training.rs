//! Training: losses, gradients and optimisers, held against PyTorch and against hand-made cases.

use serde_json::Value as Json;
#[cfg(feature = "rand")]
use tangent_kernels::Subset;
#[cfg(feature = "rand")]
use tangent_kernels::train::minibatches;
use tangent_kernels::train::{Adam, GradientDescent, Optimiser};
use tangent_kernels::unary::Tanh;
use tangent_kernels::{Batch, Cpu, Gradient, Graph, Loss, Model, Result, Sequential, Session};

const SIZES: [(&str, &[usize]); 4] =
    [("d1.weight", &[4, 3]), ("d1.bias", &[4]), ("d2.weight", &[2, 4]), ("d2.bias", &[2])];

fn reference() -> Json {
    serde_json::from_str(include_str!("reference/training.json")).unwrap()
}

fn numbers(json: &Json) -> Vec<f64> {
    json.as_array().unwrap().iter().map(|x| x.as_f64().unwrap()).collect()
}

fn start(reference: &Json) -> Model {
    let mut model = Sequential::standard(&[3]).mlp(&[4, 2], Tanh).build().unwrap();
    for (k, (name, shape)) in SIZES.iter().enumerate() {
        model.set(name, shape, numbers(&reference["start"][k])).unwrap();
    }
    model
}

fn step(model: &mut Model, x: &[f64], loss: Loss<'_>, optimiser: &mut impl Optimiser) -> Result<f64> {
    let x = Batch::new(x, &[x.len() / 3, 3])?;
    let (value, gradient) = Session::new(model, Cpu::<f64>::new())?.loss_gradient(&x, loss)?;
    optimiser.step(model, &gradient)?;
    Ok(value)
}

fn holds(run: &str, loss: Loss<'_>, mut optimiser: impl Optimiser) {
    let reference = reference();
    let (mut model, x, run) = (start(&reference), numbers(&reference["x"]), &reference["runs"][run]);
    for (k, wanted) in numbers(&run["losses"]).into_iter().enumerate() {
        let got = step(&mut model, &x, loss, &mut optimiser).unwrap();
        assert!((got - wanted).abs() < 1e-13, "loss {got} at step {k}, {wanted} is right");
    }
    let end = SIZES.iter().flat_map(|(name, _)| model.parameter(name).unwrap());
    let wanted = numbers(&run["end"]);
    assert_eq!(wanted.len(), model.parameter_count());
    for (k, (got, wanted)) in end.zip(wanted).enumerate() {
        assert!((got - wanted).abs() < 1e-12, "entry {k} of all parameters is {got}, {wanted} is right");
    }
}

#[test]
fn every_loss_and_every_optimiser_is_pytorchs() {
    let reference = reference();
    let squared = numbers(&reference["targets"]["squared_error"]);
    let labels = numbers(&reference["targets"]["logistic"]);
    let classes: Vec<usize> = numbers(&reference["targets"]["cross_entropy"]).iter().map(|&c| c as usize).collect();
    let losses = [
        ("squared_error", Loss::SquaredError(&squared)),
        ("logistic", Loss::Logistic(&labels)),
        ("cross_entropy", Loss::CrossEntropy(&classes)),
    ];
    for (name, loss) in losses {
        holds(&format!("{name} descent"), loss, GradientDescent::new(0.1));
        holds(&format!("{name} momentum"), loss, GradientDescent::new(0.05).momentum(0.9));
        holds(&format!("{name} adam"), loss, Adam::new(0.01));
    }
}

/// A loss in the graph, of outputs and targets as inputs, has the gradient of the loss outside of it.
#[test]
fn losses_may_be_recorded() {
    let reference = reference();
    let (model, x) = (start(&reference), numbers(&reference["x"]));
    let labels = numbers(&reference["targets"]["logistic"]);
    let classes: Vec<usize> = numbers(&reference["targets"]["cross_entropy"]).iter().map(|&c| c as usize).collect();
    let yes: Vec<f64> = labels.iter().map(|y| (y + 1.0) / 2.0).collect();
    let signed_targets: Vec<f64> = classes.iter().flat_map(|&c| [f64::from(c == 0), f64::from(c == 1)]).collect();
    type Record = fn(&mut Graph, tangent_kernels::Value, tangent_kernels::Value) -> Result<tangent_kernels::Value>;
    let cases: [(Record, &[f64], Loss<'_>); 3] = [
        (Graph::squared_error, &labels, Loss::SquaredError(&labels)),
        (Graph::binary_cross_entropy, &yes, Loss::Logistic(&labels)),
        (Graph::cross_entropy, &signed_targets, Loss::CrossEntropy(&classes)),
    ];
    for (record, targets, loss) in cases {
        let mut recorded = Model::from_fn(&[&[3], &[2]], |graph, inputs| {
            let parameter = |graph: &mut Graph, k: usize| graph.parameter(SIZES[k].0, SIZES[k].1);
            let (w1, b1) = (parameter(graph, 0)?, parameter(graph, 1)?);
            let hidden = graph.linear(inputs[0], w1, Some(b1))?;
            let hidden = graph.unary(Tanh, hidden)?;
            let (w2, b2) = (parameter(graph, 2)?, parameter(graph, 3)?);
            let f = graph.linear(hidden, w2, Some(b2))?;
            record(graph, f, inputs[1])
        })
        .unwrap();
        assert_eq!(recorded.output_shape(), [0; 0]);
        for (name, shape) in SIZES {
            recorded.set(name, shape, model.parameter(name).unwrap().to_vec()).unwrap();
        }
        let inputs = [Batch::new(&x, &[6, 3]).unwrap(), Batch::new(targets, &[6, 2]).unwrap()];
        let session = Session::new(&recorded, Cpu::<f64>::new()).unwrap();
        let inside = session.gradient(&inputs, &[1.0 / 6.0; 6]).unwrap();
        let outer = Session::new(&model, Cpu::<f64>::new()).unwrap();
        let (mean, outside) = outer.loss_gradient(&inputs[0], loss).unwrap();
        let own = session.run(&inputs).unwrap().iter().sum::<f64>() / 6.0;
        assert!((own - mean).abs() < 1e-14, "{own} {mean}");
        let worst = inside.flat().iter().zip(outside.flat()).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
        assert!(worst < 1e-14, "{worst}");
    }
}

/// Where PyTorch's own logits lose all digits.
#[test]
fn losses_of_samples_that_are_surely_right_are_tiny_and_not_zero() {
    let loss = |f: f64, y: f64| Loss::Logistic(&[y]).mean(&[f], 1).unwrap();
    for f in [40.0f64, 300.0] {
        assert!((loss(f, 1.0) / (-f).exp() - 1.0).abs() < 1e-14);
        assert!((loss(-f, -1.0) / (-f).exp() - 1.0).abs() < 1e-14);
        assert_eq!((loss(f, -1.0), loss(-f, 1.0)), (f, f));
    }
    assert_eq!(Loss::CrossEntropy(&[1]).mean(&[0.0, 1e4], 2).unwrap(), 0.0);
    assert_eq!(Loss::CrossEntropy(&[0]).mean(&[0.0, 1e4], 2).unwrap(), 1e4);
}

/// More samples than a block: sums in the same order on any number of threads.
#[test]
fn gradients_do_not_depend_on_threads() {
    let reference = reference();
    let (model, x) = (start(&reference), numbers(&reference["x"]).repeat(300));
    let labels = numbers(&reference["targets"]["logistic"]).repeat(300);
    let on = |threads: usize| -> (f64, Gradient<f32>) {
        let x: Vec<f32> = x.iter().map(|&x| x as f32).collect();
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        let session = Session::new(&model, Cpu::<f32>::new()).unwrap();
        pool.install(|| session.loss_gradient(&Batch::new(&x, &[1800, 3]).unwrap(), Loss::Logistic(&labels)).unwrap())
    };
    let (one, three) = (on(1), on(3));
    assert_eq!(one, three);
    // Every sample counts 300 times, so the mean is that of six.
    let session = Session::new(&model, Cpu::<f64>::new()).unwrap();
    let (few, labels) = (numbers(&reference["x"]), numbers(&reference["targets"]["logistic"]));
    let (loss, _) = session.loss_gradient(&Batch::new(&few, &[6, 3]).unwrap(), Loss::Logistic(&labels)).unwrap();
    assert!((loss - one.0).abs() < 1e-6);
}

#[test]
fn what_is_wrong_is_told_and_the_model_stays() {
    let reference = reference();
    let (mut model, x) = (start(&reference), numbers(&reference["x"]));
    let session = Session::new(&model, Cpu::<f64>::new()).unwrap();
    let batch = Batch::new(&x, &[6, 3]).unwrap();
    assert!(session.loss_gradient(&batch, Loss::CrossEntropy(&[0; 5])).unwrap_err().is_shape());
    let error = session.loss_gradient(&batch, Loss::CrossEntropy(&[0, 1, 2, 0, 0, 0])).unwrap_err();
    assert!(error.to_string().contains("class 2 is 2"), "{error}");
    let none = Batch::new(&[], &[0, 3]).unwrap();
    assert!(session.loss_gradient(&none, Loss::CrossEntropy(&[])).unwrap_err().is_shape());
    let (_, gradient) = session.loss_gradient(&batch, Loss::CrossEntropy(&[0; 6])).unwrap();

    let before = model.parameter("d2.weight").unwrap().to_vec();
    let error = GradientDescent::new(f64::INFINITY).step(&mut model, &gradient).unwrap_err();
    assert!(error.is_value() && error.to_string().contains("set parameter 'd1.weight' to"), "{error}");
    assert_eq!(model.parameter("d2.weight").unwrap(), before);

    let mut other = Sequential::standard(&[3]).mlp(&[5, 2], Tanh).build().unwrap();
    let error = GradientDescent::new(0.1).step(&mut other, &gradient).unwrap_err();
    assert!(error.is_shape() && error.to_string().contains("another model"), "{error}");
    let mut adam = Adam::new(0.1);
    adam.step(&mut model, &gradient).unwrap();
    let session = Session::new(&model, Cpu::<f64>::new()).unwrap();
    let (_, gradient) = session.loss_gradient(&batch, Loss::CrossEntropy(&[0; 6])).unwrap();
    let mut small = Sequential::standard(&[3]).linear_without_bias("d1", 2).build().unwrap();
    small.set("d1.weight", &[2, 3], vec![0.0; 6]).unwrap();
    let session = Session::new(&small, Cpu::<f64>::new()).unwrap();
    let (_, of_small) = session.loss_gradient(&batch, Loss::CrossEntropy(&[0; 6])).unwrap();
    let error = adam.step(&mut small, &of_small).unwrap_err();
    assert!(error.is_shape() && error.to_string().contains("used with another model"), "{error}");
    adam.step(&mut model, &gradient).unwrap();

    // 1e300 times weights of 1e300 overflows.
    let mut steep = Sequential::standard(&[1]).linear_without_bias("d", 1).build().unwrap();
    steep.set("d.weight", &[1, 1], vec![1e300]).unwrap();
    let session = Session::new(&steep, Cpu::<f64>::new()).unwrap();
    let error = session.loss_gradient(&Batch::new(&[0.0, 1e300], &[2, 1]).unwrap(), Loss::Logistic(&[1.0, 1.0]));
    assert!(error.unwrap_err().to_string().contains("output 0 of sample 1 is inf"));
}

#[cfg(feature = "rand")]
#[test]
fn an_epoch_has_every_sample_once_and_epochs_differ() {
    let epoch = |seed, epoch| minibatches(103, 10, seed, epoch);
    let sizes: Vec<usize> = epoch(1, 0).iter().map(Vec::len).collect();
    assert_eq!((sizes.len(), sizes[0], sizes[10]), (11, 10, 3));
    let mut all = epoch(1, 0).concat();
    assert!(all.windows(2).any(|pair| pair[0] > pair[1]), "nothing was shuffled");
    all.sort_unstable();
    assert!(all.into_iter().eq(0..103));
    assert_eq!(epoch(1, 3), epoch(1, 3));
    assert_ne!(epoch(1, 0), epoch(1, 1));
    assert_ne!(epoch(1, 0), epoch(2, 0));
    assert!(minibatches(0, 10, 1, 0).is_empty());
    assert_eq!(minibatches(2, 0, 1, 0).len(), 2);
}

/// The mean of the gradients of an epoch's minibatches of equal size is that of all samples.
#[cfg(feature = "rand")]
#[test]
fn minibatches_make_up_the_full_batch() {
    let reference = reference();
    let (model, x) = (start(&reference), numbers(&reference["x"]));
    let targets = numbers(&reference["targets"]["squared_error"]);
    let x = Batch::new(&x, &[6, 3]).unwrap();
    let session = Session::new(&model, Cpu::<f64>::new()).unwrap();
    let full = session.loss_gradient(&x, Loss::SquaredError(&targets)).unwrap().1.flat();
    let mut mean = vec![0.0; full.len()];
    for list in minibatches(6, 2, 0, 0) {
        let own: Vec<f64> = list.iter().flat_map(|&n| &targets[2 * n..2 * n + 2]).copied().collect();
        let part = session.loss_gradient(&Subset::new(&x, &list).unwrap(), Loss::SquaredError(&own)).unwrap().1;
        mean.iter_mut().zip(part.flat()).for_each(|(sum, x)| *sum += x / 3.0);
    }
    assert!(full.iter().zip(mean).all(|(a, b)| (a - b).abs() < 1e-14));
    assert!(Subset::new(&x, &[0, 6]).err().unwrap().to_string().contains("no sample 6"));
}
