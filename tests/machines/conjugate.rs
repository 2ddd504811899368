use tangent_kernels::analysis::{conjugate_kernel, features};
use tangent_kernels::ops::{AvgPool2d, Conv2d, Flatten, Shift};
use tangent_kernels::{
    Batch, Cpu, Error, Graph, Model, Outputs, Parameterisation, Samples, Sequential, Session, Value,
};

use crate::*;

/// A model recorded by `f`, whose parameters have no pattern.
fn recorded(shape: &[usize], f: impl FnOnce(&mut Graph, Value) -> tangent_kernels::Result<Value>) -> Model {
    let mut model = Model::from_fn(&[shape], |graph, inputs| f(graph, inputs[0])).unwrap();
    let both = [model.parameters().to_vec(), model.buffers().to_vec()].concat();
    for (k, info) in both.iter().enumerate() {
        model.set(&info.name, &info.shape, numbers(info.shape.iter().product(), 60 + k as u64)).unwrap();
    }
    model
}

fn error_of(model: &Model, x: &[f64], shape: &[usize]) -> Error {
    let session = Session::new(model, Cpu::<f64>::new()).unwrap();
    features(&session, &Batch::new(x, shape).unwrap(), None).unwrap_err()
}

fn conjugate<R: Real>(session: &Session<'_, Cpu<R>>, x: &dyn Samples<R>) -> Matrix<R> {
    conjugate_kernel(&features(session, x, None).unwrap(), None).unwrap()
}

fn conjugate_between(session: &Session<'_, Cpu<f64>>, x: &Batch<'_, f64>, z: &Batch<'_, f64>) -> Matrix<f64> {
    let [phi, psi] = [x, z].map(|samples| features(session, samples, None).unwrap());
    conjugate_kernel(&phi, Some(&psi)).unwrap()
}

#[test]
fn features_and_kernel_by_hand() {
    // Two hidden features, relu-like by tanh of small numbers is not needed: identity weights and whole numbers.
    let mut model = recorded(&[2], |graph, x| {
        let (w, v) = (graph.parameter("w", &[2, 2])?, graph.parameter("v", &[3, 2])?);
        let hidden = graph.linear(x, w, None)?;
        let hidden = graph.unary(tangent_kernels::unary::Relu, hidden)?;
        graph.linear(hidden, v, None)
    });
    model.set("w", &[2, 2], vec![1.0, 2.0, 0.0, -1.0]).unwrap();
    let session = Session::new(&model, Cpu::<f64>::new()).unwrap();
    let (x, z) = ([1.0, 1.0, 2.0, -1.0, -3.0, -2.0], [1.0, 3.0]);
    let (x, z) = (Batch::new(&x, &[3, 2]).unwrap(), Batch::new(&z, &[1, 2]).unwrap());
    let phi = features(&session, &x, None).unwrap();
    assert_eq!((phi.shape(), phi.as_slice()), ([1, 3, 2], &[3.0, 0.0, 0.0, 1.0, 0.0, 2.0][..]));
    let kernel = conjugate(&session, &x);
    assert_eq!(kernel.as_slice(), [9.0, 0.0, 0.0, 0.0, 1.0, 2.0, 0.0, 2.0, 4.0]);
    assert_eq!(conjugate_between(&session, &x, &z).as_slice(), [21.0, 0.0, 0.0]);
    let before = features(&session, &x, Some(model.graph().result(0))).unwrap();
    assert_eq!(before.as_slice(), [3.0, -1.0, 0.0, 1.0, -7.0, 2.0]);
    // The inputs, and the outputs, whose Gram is the empirical NNGP kernel of neural-tangents.
    assert_eq!(
        features(&session, &x, Some(model.graph().input())).unwrap().as_slice(),
        [1.0, 1.0, 2.0, -1.0, -3.0, -2.0]
    );
    let outputs = features(&session, &x, Some(model.output())).unwrap();
    assert_eq!((outputs.shape(), outputs.as_slice()), ([1, 3, 3], &session.run(&x).unwrap()[..]));
}

#[test]
fn of_one_output_it_is_the_last_weights_component() {
    for (parameterisation, samples) in [(Parameterisation::Ntk, 4), (Parameterisation::Standard, 700)] {
        let mut model = Sequential::new(&[3], parameterisation).mlp(&[20, 30, 1], Tanh).build().unwrap();
        for (k, info) in model.parameters().to_vec().iter().enumerate() {
            model.set(&info.name, &info.shape, numbers(info.shape.iter().product(), k as u64)).unwrap();
        }
        let session = Session::new(&model, Cpu::<f64>::new()).unwrap();
        let (x, z) = (numbers(samples * 3, 1), numbers(5 * 3, 2));
        let (x, z) = (Batch::new(&x, &[samples, 3]).unwrap(), Batch::new(&z, &[5, 3]).unwrap());
        let want = session.ntk().parameters(&["d3.weight"]).compute(&x).unwrap();
        assert_near(conjugate(&session, &x).as_slice(), want.total().as_slice(), 1e-13);
        let want = session.ntk().parameters(&["d3.weight"]).between(&z, &x).unwrap();
        assert_near(conjugate_between(&session, &z, &x).as_slice(), want.total().as_slice(), 1e-13);
        let single = Session::new(&model, Cpu::<f32>::new()).unwrap();
        let rough: Vec<f32> = numbers(samples * 3, 1).iter().map(|x| *x as f32).collect();
        let rough = conjugate(&single, &Batch::new(&rough, &[samples, 3]).unwrap());
        let rough: Vec<f64> = rough.as_slice().iter().map(|x| f64::from(*x)).collect();
        assert_near(&rough, conjugate(&session, &x).as_slice(), 1e-5);
    }
}

#[test]
fn positions_and_channels_are_flattened() {
    let shape = [2, 4, 4];
    let model = recorded(&shape, |graph, x| {
        let (w, v) = (graph.parameter("w", &[3, 2, 3, 3])?, graph.parameter("v", &[2, 3, 1, 1])?);
        let hidden = graph.conv2d(x, Conv2d::new().padding([1, 1]), w, None)?;
        let hidden = graph.unary(Tanh, hidden)?;
        let hidden = graph.apply(AvgPool2d::new([2, 2]), &[hidden], &[])?;
        let out = graph.conv2d(hidden, Conv2d::new(), v, None)?;
        graph.apply(Flatten, &[out], &[])
    });
    let session = Session::new(&model, Cpu::<f64>::new()).unwrap();
    let x = numbers(5 * 32, 3);
    let x = Batch::new(&x, &[5, 2, 4, 4]).unwrap();
    let phi = features(&session, &x, None).unwrap();
    assert_eq!(phi.shape(), [1, 5, 3 * 2 * 2]);
    // Every output is one position, so the trace of the read-out's component counts its Gram once for each channel out.
    let trace = session.ntk().parameters(&["v"]).outputs(Outputs::TraceSum).compute(&x).unwrap();
    let twice: Vec<f64> = conjugate_kernel(&phi, None).unwrap().as_slice().iter().map(|k| 2.0 * k).collect();
    assert_near(trace.total().as_slice(), &twice, 1e-13);
}

#[test]
fn grams_are_symmetric_to_the_bit_and_hold_all_products() {
    for (n, m, width) in [(1, 1, 1), (3, 300, 7), (129, 128, 33), (300, 5, 401)] {
        let (phi, psi) = (numbers(n * width, 4), numbers(m * width, 5));
        let [phi, psi] = [(phi, n), (psi, m)].map(|(x, rows)| matrix(rows, width, |i, j| x[i * width + j]));
        let square = conjugate_kernel(&phi, None).unwrap();
        assert_near(square.as_slice(), kernel(&as_mat(&phi), &as_mat(&phi)).as_slice(), 1e-13);
        assert!((0..n * n).all(|k| square[(k / n, k % n)] == square[(k % n, k / n)]));
        let cross = conjugate_kernel(&phi, Some(&psi)).unwrap();
        assert_near(cross.as_slice(), kernel(&as_mat(&phi), &as_mat(&psi)).as_slice(), 1e-13);
    }
    let none = matrix(0, 4, |_, _| 0.0);
    assert_eq!(conjugate_kernel(&none, None).unwrap().shape(), [1, 0, 0]);
    assert_eq!(conjugate_kernel(&matrix(3, 4, |_, _| 0.0), Some(&none)).unwrap().shape(), [1, 3, 0]);
    assert_eq!(conjugate_kernel(&matrix(2, 0, |_, _| 0.0), None).unwrap().as_slice(), [0.0; 4]);
    assert!(conjugate_kernel(&matrix(3, 4, |_, _| 0.0), Some(&matrix(3, 5, |_, _| 0.0))).unwrap_err().is_shape());
    assert!(conjugate_kernel(&Matrix::from_vec(2, 1, 1, vec![1.0, 2.0]).unwrap(), None).unwrap_err().is_shape());
    assert!(conjugate_kernel(&diagonal(&[1e200]), None).unwrap_err().to_string().contains("inf at row 0"));
}

#[test]
fn the_last_op_with_parameters_is_on_the_way_to_the_output() {
    // The last value has no successor, frozen weights are not parameters, and values without parameters are skipped.
    let model = recorded(&[3], |graph, x| {
        let (w, dead) = (graph.parameter("w", &[4, 3])?, graph.parameter("dead", &[4, 4])?);
        let frozen = graph.buffer("frozen", &[2, 4])?;
        let hidden = graph.linear(x, w, None)?;
        let out = graph.unary(Tanh, hidden)?;
        let out = graph.linear(out, frozen, None)?;
        graph.linear(hidden, dead, None)?;
        graph.unary(Tanh, out)
    });
    let session = Session::new(&model, Cpu::<f64>::new()).unwrap();
    let x = numbers(6, 6);
    let batch = Batch::new(&x, &[2, 3]).unwrap();
    assert_eq!(features(&session, &batch, None).unwrap().as_slice(), x);
    // A value off the path, recorded after the output.
    assert_eq!(features(&session, &batch, Some(model.graph().result(3))).unwrap().shape(), [1, 2, 4]);
    // For a shift it is the input of the shift.
    let model = recorded(&[3], |graph, x| {
        let (w, b) = (graph.parameter("w", &[2, 3])?, graph.parameter("b", &[2])?);
        let out = graph.linear(x, w, None)?;
        graph.apply(Shift, &[out], &[b])
    });
    let session = Session::new(&model, Cpu::<f64>::new()).unwrap();
    assert_eq!(features(&session, &batch, None).unwrap().shape(), [1, 2, 2]);
}

#[test]
fn what_has_no_features_is_refused() {
    let none = recorded(&[3], |graph, x| graph.unary(Tanh, x));
    let error = error_of(&none, &[0.0; 3], &[1, 3]);
    assert!(error.is_unsupported() && error.to_string().contains("depends on no op with parameters"), "{error}");
    let bag = recorded(&[3], |graph, x| {
        let table = graph.parameter("table", &[5, 2])?;
        graph.embedding(x, table)
    });
    let error = error_of(&bag, &[0.0; 3], &[1, 3]);
    assert!(error.is_unsupported() && error.to_string().contains("embedding"), "{error}");
    let model = mlp(&[3, 4, 1]);
    let session = Session::new(&model, Cpu::<f64>::new()).unwrap();
    let x = numbers(6, 7);
    let x = Batch::new(&x, &[2, 3]).unwrap();
    let longer = mlp(&[3, 4, 4, 4, 4, 1]);
    assert!(features(&session, &x, Some(longer.output())).unwrap_err().is_name());
    assert!(features(&session, &Batch::new(&[1.0; 4], &[1, 4]).unwrap(), None).unwrap_err().is_shape());
    assert!(features(&session, &Batch::new(&[f64::NAN; 3], &[1, 3]).unwrap(), None).unwrap_err().is_value());
    let logs = recorded(&[1], |graph, x| {
        let w = graph.parameter("w", &[1, 1])?;
        let hidden = graph.unary(tangent_kernels::unary::Log, x)?;
        graph.linear(hidden, w, None)
    });
    let error = error_of(&logs, &[1.0, 2.0, 0.0], &[3, 1]);
    assert!(error.is_value() && error.to_string().contains("feature 0 of sample 2 is -inf"), "{error}");
    assert!(features(&session, &Batch::new(&[], &[0, 3]).unwrap(), None).unwrap().as_slice().is_empty());
}
