//! Invalid input gives an error that names its cause.

use std::ops::ControlFlow;
use std::sync::atomic::{AtomicUsize, Ordering};

use tangent_kernels::unary::Tanh;
use tangent_kernels::{Batch, Cpu, Error, Graph, Method, Model, Outputs, Sequential, Session};

fn model() -> Model {
    let mut model = Sequential::standard(&[2]).mlp(&[3, 2], Tanh).build().unwrap();
    for info in model.parameters().to_vec() {
        model.set(&info.name, &info.shape, vec![0.5; info.shape.iter().product()]).unwrap();
    }
    model
}

#[track_caller]
fn says(error: Error, is: fn(&Error) -> bool, parts: &[&str]) {
    assert!(is(&error), "the error is of another kind: {error:?}");
    for part in parts {
        assert!(error.to_string().contains(part), "'{error}' does not say '{part}'");
    }
}

#[test]
fn batches() {
    says(Batch::<f32>::new(&[1.0], &[]).unwrap_err(), Error::is_shape, &["sample axis"]);
    says(Batch::new(&[1.0f32; 5], &[2, 3]).unwrap_err(), Error::is_shape, &["[2, 3]", "5"]);
    says(Batch::new(&[1.0f32; 5], &[usize::MAX, 3]).unwrap_err(), Error::is_shape, &["5"]);
    let model = model();
    let session = Session::new(&model, Cpu::<f64>::new()).unwrap();
    let wrong = Batch::new(&[1.0; 6], &[2, 3]).unwrap();
    says(session.run(&wrong).unwrap_err(), Error::is_shape, &["[2]", "[2, 3]"]);
    says(session.jacobian(&wrong).unwrap_err(), Error::is_shape, &["[2]"]);
    let right = Batch::new(&[1.0; 4], &[2, 2]).unwrap();
    says(
        session.gradient(&right, &[1.0; 3]).unwrap_err(),
        Error::is_shape,
        &["3 cotangents", "2 samples with 2 outputs"],
    );
    let nan = [1.0, 1.0, 1.0, f64::NAN];
    says(session.gradient(&right, &nan).unwrap_err(), Error::is_value, &["output 1 of sample 1", "NaN"]);
    for bad in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        let x = [1.0, 2.0, 3.0, 4.0, 5.0, bad];
        let x = Batch::new(&x, &[3, 2]).unwrap();
        for method in Method::ALL {
            let error = session.ntk().method(method).compute(&x).unwrap_err();
            says(error, Error::is_value, &["entry 1 of sample 2"]);
        }
        let good = Batch::new(&[1.0, 2.0], &[1, 2]).unwrap();
        says(session.ntk().between(&good, &x).unwrap_err(), Error::is_value, &["sample 2"]);
    }
}

#[test]
fn parameters() {
    let mut model = model();
    says(model.set("d9.weight", &[1], vec![1.0]).unwrap_err(), Error::is_name, &["d9.weight", "d1.weight"]);
    says(
        model.set("d1.weight", &[2, 3], vec![0.0; 6]).unwrap_err(),
        Error::is_shape,
        &["d1.weight", "[3, 2]", "[2, 3]"],
    );
    says(model.set("d1.weight", &[3, 2], vec![0.0; 5]).unwrap_err(), Error::is_shape, &["5 values"]);
    let nan = vec![0.0, f64::NAN, 0.0, 0.0, 0.0, 0.0];
    says(model.set("d1.weight", &[3, 2], nan).unwrap_err(), Error::is_value, &["d1.weight", "NaN", "entry 1"]);
    assert_eq!(model.parameter("d1.weight").unwrap(), [0.5; 6], "a refused value changes nothing");

    model.set("d1.bias", &[3], vec![0.0, 1e300, 0.0]).unwrap();
    assert!(Session::new(&model, Cpu::<f64>::new()).is_ok());
    let error = Session::new(&model, Cpu::<f32>::new()).err().unwrap();
    says(error, Error::is_value, &["d1.bias", "1e300", "f32", "entry 1"]);

    let empty = Sequential::standard(&[2]).mlp(&[3, 2], Tanh).build().unwrap();
    says(Session::new(&empty, Cpu::<f32>::new()).err().unwrap(), Error::is_name, &["d1.weight", "no values"]);
}

#[test]
fn networks() {
    says(Sequential::ntk(&[3]).mlp(&[], Tanh).build().unwrap_err(), Error::is_shape, &["at least one layer"]);
    says(Sequential::ntk(&[]).mlp(&[3], Tanh).build().unwrap_err(), Error::is_shape, &["input of shape []"]);
    let twice = Sequential::ntk(&[3]).linear("a", 2).linear("a", 2).tanh().build();
    says(twice.unwrap_err(), Error::is_name, &["a.weight"]);
    let reshaped = Sequential::ntk(&[6]).reshape(&[4, 2]).linear("a", 2).build();
    says(reshaped.unwrap_err(), Error::is_shape, &["[6]", "[4, 2]"]);
    says(Graph::new(&[usize::MAX, 2]).unwrap_err(), Error::is_shape, &["input"]);

    let empty = Sequential::standard(&[0]).build().unwrap();
    let session = Session::new(&empty, Cpu::<f64>::new()).unwrap();
    let error = session.ntk().compute(&Batch::new(&[], &[3, 0]).unwrap()).unwrap_err();
    says(error, Error::is_shape, &["no outputs"]);
}

#[test]
fn options() {
    let model = model();
    let session = Session::new(&model, Cpu::<f64>::new()).unwrap();
    let x = [0.1; 40];
    let x = Batch::new(&x, &[20, 2]).unwrap();
    let error = session.ntk().outputs(Outputs::Output(2)).compute(&x).unwrap_err();
    says(error, Error::is_value, &["output 2", "2 outputs"]);
    says("fast".parse::<Method>().unwrap_err(), Error::is_name, &["fast", "structured", "layerwise-batched"]);
    for method in Method::ALL {
        assert_eq!(method.name().parse::<Method>().unwrap(), method);
    }
    let kernel = session.ntk().components(false).compute(&x).unwrap();
    says(kernel.component("d1.weight").unwrap_err(), Error::is_name, &["d1.weight"]);
}

#[test]
fn a_callback_sees_every_step_and_can_cancel() {
    let model = model();
    let session = Session::new(&model, Cpu::<f64>::new()).unwrap();
    let x = [0.1; 400];
    let x = Batch::new(&x, &[200, 2]).unwrap();
    for method in [Method::Structured, Method::Layerwise] {
        let (calls, total) = (AtomicUsize::new(0), AtomicUsize::new(0));
        let count = |progress: tangent_kernels::Progress| {
            calls.fetch_add(1, Ordering::Relaxed);
            total.store(progress.total, Ordering::Relaxed);
            ControlFlow::Continue(())
        };
        session.ntk().method(method).progress(&count).compute(&x).unwrap();
        assert_eq!(calls.into_inner(), total.into_inner(), "{method}");
    }
    let stop = |progress: tangent_kernels::Progress| {
        if progress.done < 3 { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    };
    says(session.ntk().progress(&stop).compute(&x).unwrap_err(), Error::is_cancelled, &["cancelled at step"]);
}
