//! Kernels along training, held against kernels that are computed and stored whole.
#![cfg(feature = "rand")]

use tangent_kernels::analysis::trajectory::{Record, Trajectory, log_steps};
use tangent_kernels::analysis::{accuracy, eigenvalues, sign_scores};
use tangent_kernels::ops::Conv2d;
use tangent_kernels::train::{GradientDescent, Optimiser};
use tangent_kernels::unary::Tanh;
use tangent_kernels::{Batch, Cpu, Kernel, Loss, Matrix, Model, Outputs, Parameterisation, Sequential, Session};

fn numbers(count: usize, seed: f64) -> Vec<f64> {
    (0..count).map(|k| ((k as f64 + 1.0) * (k as f64 + 1.0) * 0.618034 + seed).fract() * 2.0 - 1.0).collect()
}

fn signs(count: usize, seed: f64) -> Vec<f64> {
    numbers(count, seed).into_iter().map(f64::signum).collect()
}

fn mlp(sizes: &[usize]) -> Model {
    let mut model = Sequential::standard(&sizes[..1]).mlp(&sizes[1..], Tanh).build().unwrap();
    model = model.with_parameterisation(Parameterisation::Ntk);
    model.initialise(1).unwrap();
    model
}

/// A convolution first, whose input side is not a cached constant.
fn cnn() -> Model {
    let mut model = Sequential::standard(&[1, 4, 4])
        .conv2d("conv", 3, [3, 3], Conv2d::new())
        .tanh()
        .flatten()
        .linear("out", 1)
        .build()
        .unwrap()
        .with_parameterisation(Parameterisation::Ntk);
    model.initialise(1).unwrap();
    model
}

/// One step down some slope.
fn moved(model: &mut Model, x: &Batch<'_, f64>, rate: f64) {
    let targets = numbers(x.samples() * model.outputs(), 0.7);
    let (_, gradient) =
        Session::new(model, Cpu::<f64>::new()).unwrap().loss_gradient(x, Loss::SquaredError(&targets)).unwrap();
    GradientDescent::new(rate).step(model, &gradient).unwrap();
}

fn near(got: f64, wanted: f64, what: &str) {
    assert!((got - wanted).abs() <= 1e-11 * wanted.abs().max(1e-3), "{what}: {got}, {wanted} is right");
}

fn parts(kernel: &Kernel<f64>) -> Vec<(String, Matrix<f64>)> {
    let layers = kernel.clone().by_layer();
    let total = ("total".to_string(), kernel.total().clone());
    layers.components().iter().cloned().chain([total]).collect()
}

fn distance(a: &Matrix<f64>, b: &Matrix<f64>) -> f64 {
    a.as_slice().iter().zip(b.as_slice()).map(|(a, b)| (a - b) * (a - b)).sum::<f64>().sqrt()
}

fn aligned(kernel: &Matrix<f64>, y: &[f64]) -> f64 {
    let n = y.len();
    let product: f64 = (0..n * n).map(|k| kernel.as_slice()[k] * y[k / n] * y[k % n]).sum();
    product / (kernel.frobenius_norm() * n as f64)
}

fn agrees(mut model: Model, shape: &[usize], samples: usize, outputs: Outputs, rows: usize) {
    let width: usize = shape.iter().product();
    let (x, z) = (numbers(samples * width, 0.1), numbers(17 * width, 0.4));
    let x = Batch::new(&x, &[&[samples], shape].concat()).unwrap();
    let z = Batch::new(&z, &[&[17], shape].concat()).unwrap();
    let (y, test) = (signs(rows, 0.2), signs(rows / samples * 17, 0.3));
    let mut trajectory = Trajectory::new(&x).outputs(outputs).labels(&y).test(&z, &test).eigenvalues(2);
    let (mut first, mut last): (Option<Vec<_>>, Option<Vec<_>>) = (None, None);
    for step in [0, 3, 4] {
        let session = Session::new(&model, Cpu::<f64>::new()).unwrap();
        let record = trajectory.record(&session, step, &[]).unwrap();
        let now = parts(&session.ntk().outputs(outputs).compute(&x).unwrap());
        let cross = parts(&session.ntk().outputs(outputs).between(&z, &x).unwrap());
        assert_eq!((record.step, record.layers.len()), (step, now.len()));
        for (k, ((name, kernel), layer)) in now.iter().zip(&record.layers).enumerate() {
            assert_eq!(&layer.name, name);
            let (first, last) = (&first.as_ref().unwrap_or(&now)[k].1, &last.as_ref().unwrap_or(&now)[k].1);
            near(layer.trace, kernel.trace(), "trace");
            near(layer.norm, kernel.frobenius_norm(), "norm");
            near(layer.drift, distance(kernel, first) / first.frobenius_norm(), "drift");
            near(layer.change, distance(kernel, last) / last.frobenius_norm(), "change");
            near(layer.alignment.unwrap(), aligned(kernel, &y), "alignment");
            let right =
                |kernel: &Matrix<f64>, of: &[f64]| accuracy(&sign_scores(kernel, &y, None).unwrap(), of).unwrap();
            assert_eq!(layer.train_accuracy.unwrap(), right(kernel, &y));
            assert_eq!(layer.test_accuracy.unwrap(), right(&cross[k].1, &test));
            let values = eigenvalues(kernel).unwrap();
            for (got, wanted) in layer.eigenvalues.iter().zip(&values[..2]) {
                assert!((got - wanted).abs() < 1e-5 * values[0], "eigenvalue {got}, {wanted} is right");
            }
            assert_eq!(layer.eigenvalues.len(), 2);
            assert!(distance(&trajectory.last(name).unwrap(), kernel) <= 1e-12 * kernel.frobenius_norm());
            assert!(distance(&trajectory.first(name).unwrap(), first) <= 1e-12 * first.frobenius_norm());
        }
        first.get_or_insert_with(|| now.clone());
        last = Some(now);
        moved(&mut model, &x, 0.3);
    }
    let drift = distance(&trajectory.last("total").unwrap(), &trajectory.first("total").unwrap());
    // The kernel of one linear layer never moves.
    assert_eq!(drift > 1e-3, model.parameters().len() > 2, "{drift}");
}

#[test]
fn records_are_what_stored_kernels_come_to() {
    agrees(mlp(&[3, 5, 4, 1]), &[3], 150, Outputs::Full, 150);
}

/// Rows of K that belong to one sample share its row of the Gram that is held.
#[test]
fn records_of_several_outputs() {
    agrees(mlp(&[3, 5, 3]), &[3], 40, Outputs::Full, 120);
    agrees(mlp(&[3, 5, 3]), &[3], 40, Outputs::TraceMean, 40);
    agrees(mlp(&[3, 5, 3]), &[3], 40, Outputs::Output(1), 40);
}

#[test]
fn records_of_networks_without_constants() {
    agrees(cnn(), &[1, 4, 4], 30, Outputs::Full, 30);
}

/// A single layer is its own constant.
#[test]
fn records_of_a_linear_model() {
    agrees(mlp(&[3, 1]), &[3], 20, Outputs::Full, 20);
}

fn three_records(trajectory: &mut Trajectory<'_, f64>, x: &Batch<'_, f64>) -> Vec<Record> {
    let mut model = mlp(&[3, 5, 1]);
    let record = |step: usize| {
        let record = trajectory.record(&Session::new(&model, Cpu::<f64>::new()).unwrap(), step, &[0.5 / step as f64]);
        moved(&mut model, x, 0.1);
        record.unwrap()
    };
    [1, 2, 5].map(record).to_vec()
}

#[test]
fn files_are_written_as_records_come() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("t.csv");
    let x = numbers(30, 0.1);
    let x = Batch::new(&x, &[10, 3]).unwrap();
    let y = signs(10, 0.2);
    let mut trajectory = Trajectory::new(&x).labels(&y).columns(&["loss, mean"]).eigenvalues(1).csv(&path);
    let records = three_records(&mut trajectory, &x);
    // Nothing was closed, as if the program had been killed here.
    let text = std::fs::read_to_string(&path).unwrap();
    let mut lines = text.lines();
    let head = "step,\"loss, mean\",layer,trace,norm,drift,change,alignment,train_accuracy,test_accuracy,eigenvalue_1";
    assert_eq!(lines.next().unwrap(), head);
    for record in &records {
        for layer in &record.layers {
            let fields: Vec<&str> = lines.next().unwrap().split(',').collect();
            assert_eq!((fields[0], fields[2]), (&*record.step.to_string(), &*layer.name));
            let number = |k: usize| fields[k].parse::<f64>().unwrap();
            assert_eq!([number(1), number(3), number(5)], [record.values[0], layer.trace, layer.drift]);
            assert_eq!((number(7), fields[9]), (layer.alignment.unwrap(), ""));
            assert_eq!(number(10), layer.eigenvalues[0]);
        }
    }
    assert!(lines.next().is_none() && text.ends_with('\n'));
}

#[cfg(feature = "npy")]
#[test]
fn chosen_kernels_are_kept() {
    let folder = tempfile::tempdir().unwrap();
    let x = numbers(30, 0.1);
    let x = Batch::new(&x, &[10, 3]).unwrap();
    let mut trajectory = Trajectory::new(&x).columns(&["loss"]).keep(folder.path(), &[2, 4]);
    let records = three_records(&mut trajectory, &x);
    let mut names: Vec<_> = std::fs::read_dir(folder.path()).unwrap().map(|e| e.unwrap().file_name()).collect();
    names.sort();
    assert_eq!(names, ["step_2_d1.npy", "step_2_d2.npy", "step_2_total.npy"]);
    let (shape, data) = tangent_kernels::io::npy::read::<f64>(folder.path().join("step_2_total.npy")).unwrap();
    assert_eq!(shape, [10, 10]);
    near((0..10).map(|n| data[11 * n]).sum(), records[1].total().trace, "trace");
}

#[test]
fn records_do_not_depend_on_threads() {
    let x = numbers(900, 0.1);
    let x = Batch::new(&x, &[300, 3]).unwrap();
    let y = signs(300, 0.2);
    let on = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| three_records(&mut Trajectory::new(&x).labels(&y).eigenvalues(1).columns(&["loss"]), &x))
    };
    assert_eq!(on(1), on(3));
}

#[test]
fn what_does_not_fit_is_refused() {
    let x = numbers(30, 0.1);
    let x = Batch::new(&x, &[10, 3]).unwrap();
    let (model, other) = (mlp(&[3, 5, 1]), mlp(&[3, 5, 4, 1]));
    let session = Session::new(&model, Cpu::<f64>::new()).unwrap();

    let mut trajectory = Trajectory::new(&x);
    assert!(trajectory.last("total").unwrap_err().to_string().contains("no kernel is recorded"));
    assert!(trajectory.record(&session, 0, &[1.0]).unwrap_err().is_shape());
    trajectory.record(&session, 0, &[]).unwrap();
    assert!(trajectory.last("d3").unwrap_err().to_string().contains("the layers are d1, d2, total"));
    let error = trajectory.record(&Session::new(&other, Cpu::<f64>::new()).unwrap(), 1, &[]).unwrap_err();
    assert!(error.is_shape() && error.to_string().contains("other layers"), "{error}");
    let error = trajectory.record(&session, 2, &[]).unwrap_err();
    assert!(error.to_string().contains("an earlier record failed"), "{error}");

    let error = Trajectory::new(&x).labels(&[1.0; 9]).record(&session, 0, &[]).unwrap_err();
    assert!(error.is_shape() && error.to_string().contains("9 labels"), "{error}");
    let error = Trajectory::new(&x).test(&x, &[1.0; 10]).record(&session, 0, &[]).unwrap_err();
    assert!(error.to_string().contains("needs labels"), "{error}");
    let error = Trajectory::new(&x).outputs(Outputs::PerOutput).record(&session, 0, &[]).unwrap_err();
    assert!(error.to_string().contains("PerOutput"), "{error}");
    let error = Trajectory::new(&x).csv("/no/such/folder/t.csv").record(&session, 0, &[]).unwrap_err();
    assert!(error.is_io() && error.to_string().contains("/no/such/folder/t.csv"), "{error}");
    if cfg!(target_os = "linux") {
        let error = Trajectory::new(&x).csv("/dev/full").record(&session, 0, &[]).unwrap_err();
        assert!(error.is_io() && error.to_string().contains("/dev/full"), "{error}");
    }
}

#[test]
fn steps_are_spaced_by_logarithms() {
    assert_eq!(log_steps(0, 5), [0]);
    assert_eq!(log_steps(20_000, 1), [0, 1, 20_000]);
    let steps = log_steps(20_000, 250);
    assert!((180..=251).contains(&steps.len()), "{}", steps.len());
    assert!(steps.windows(2).all(|pair| pair[0] < pair[1]));
    assert_eq!((steps[0], steps[1], *steps.last().unwrap()), (0, 1, 20_000));
    assert!((steps[steps.len() - 1] as f64 / steps[steps.len() - 2] as f64) < 1.05);
}
