//! Samples of several inputs, from readers, from mapped files, and as row numbers.

use super::*;

#[test]
fn several_inputs_are_read_together() {
    let model = ids_and_features();
    let session = Session::new(&model, Cpu::<f64>::new()).unwrap();
    let data = Data::random(&model, 20, 2);
    let [ids, features] = &data.batches()[..] else { panic!("two inputs") };
    let expected = session.ntk().method(Method::ForwardMode).compute(&data.batches()).unwrap();
    let kernel = session.ntk().compute(&[ids.clone(), features.clone()]).unwrap();
    assert_close(&kernel, &expected, "two inputs");
    assert_eq!(kernel, session.ntk().compute(&data.batches()).unwrap(), "an array and a list");
    // The output depends on both inputs.
    let other = session.ntk().compute(&[ids.clone(), Batch::new(&numbers(40, 77), &[20, 2]).unwrap()]).unwrap();
    assert!(other.total().distance(expected.total()).unwrap() > 1e-3);

    let too_few = session.ntk().compute(features).unwrap_err();
    says(too_few, Error::is_shape, &["takes 2 inputs", "each sample has 1"]);
    let three = [ids.clone(), features.clone(), features.clone()];
    says(session.ntk().compute(&three).unwrap_err(), Error::is_shape, &["takes 2 inputs", "each sample has 3"]);
    says(session.ntk().compute(&Vec::new()).unwrap_err(), Error::is_shape, &["takes 2 inputs", "each sample has 0"]);
    let swapped = [features.clone(), ids.clone()];
    says(session.ntk().compute(&swapped).unwrap_err(), Error::is_shape, &["input 0", "[4]", "[20, 2]"]);
    for method in Method::ALL.into_iter().filter(|&method| method != Method::ClosedForm) {
        for short in [19, 1, 0] {
            let unlike = [ids.clone(), features.rows(0..short)];
            let error = session.ntk().method(method).compute(&unlike).unwrap_err();
            says(error, Error::is_shape, &[&format!("got 20 and {short}")]);
            let unlike = vec![ids.rows(0..short), features.clone()];
            let error = session.ntk().method(method).compute(&unlike).unwrap_err();
            says(error, Error::is_shape, &[&format!("got {short} and 20")]);
        }
    }
    let unlike = [ids.rows(0..0), features.clone()];
    says(session.ntk().diagonal(&unlike).unwrap_err(), Error::is_shape, &["got 0 and 20"]);
    says(session.run(&unlike).unwrap_err(), Error::is_shape, &["got 0 and 20"]);
    says(session.gradient(&unlike, &[]).unwrap_err(), Error::is_shape, &["got 0 and 20"]);
    says(session.jacobian(&unlike).unwrap_err(), Error::is_shape, &["got 0 and 20"]);
    says(session.ntk().between(&data.batches(), &unlike).unwrap_err(), Error::is_shape, &["got 0 and 20"]);
}

fn a_reader_equals_memory_bit_for_bit<R: Real>() {
    for (name, model) in models() {
        let session = Session::new(&model, Cpu::<R>::new()).unwrap();
        let data = Data::random(&model, 40, 1);
        let numbers_of_inputs: Vec<Vec<R>> =
            data.inputs.iter().map(|(list, _)| list.iter().map(|&x| R::from_f64(x)).collect()).collect();
        let shapes: Vec<&[usize]> = model.input_shapes().iter().map(Vec::as_slice).collect();
        let reader = Reader::new(40, &shapes, |input, range| {
            let size = shapes[input].iter().product::<usize>();
            Ok(numbers_of_inputs[input][range.start * size..range.end * size].to_vec())
        });
        let batches: Vec<Batch<'_, R>> = numbers_of_inputs
            .iter()
            .zip(&data.inputs)
            .map(|(list, (_, shape))| Batch::new(list, shape).unwrap())
            .collect();
        for method in [Method::Structured, Method::Layerwise] {
            let ntk = || session.ntk().method(method).outputs(Outputs::TraceSum);
            assert_eq!(ntk().compute(&reader).unwrap(), ntk().compute(&batches).unwrap(), "{name}, {method}");
            let halves: Vec<Batch<'_, R>> = batches.iter().map(|batch| batch.rows(5..11)).collect();
            assert_eq!(ntk().between(&halves, &reader).unwrap(), ntk().between(&halves, &batches).unwrap(), "{name}");
        }
        assert_eq!(session.ntk().diagonal(&reader).unwrap(), session.ntk().diagonal(&batches).unwrap(), "{name}");
        assert_eq!(session.run(&reader).unwrap(), session.run(&batches).unwrap(), "{name}");
        assert_eq!(session.jacobian(&reader).unwrap(), session.jacobian(&batches).unwrap(), "{name}");
    }
}

#[test]
fn samples_of_a_reader_equal_those_in_memory_bit_for_bit() {
    a_reader_equals_memory_bit_for_bit::<f32>();
    a_reader_equals_memory_bit_for_bit::<f64>();
}

#[cfg(feature = "mmap")]
#[test]
fn samples_of_a_mapped_file_equal_those_in_memory_bit_for_bit() {
    use tangent_kernels::io::npy;
    let (model, folder) = (planes(), tempfile::tempdir().unwrap());
    let session = Session::new(&model, Cpu::<f64>::new()).unwrap();
    let (data, path) = (Data::random(&model, 40, 1), folder.path().join("x.npy"));
    npy::write(&path, &data.inputs[0].1, &data.inputs[0].0).unwrap();
    let mapped = npy::Mapped::<f64>::open(&path).unwrap();
    for outputs in modes(3) {
        let ntk = || session.ntk().outputs(outputs);
        assert_eq!(ntk().compute(&mapped).unwrap(), ntk().compute(&data.batches()).unwrap());
        assert_eq!(ntk().diagonal(&mapped).unwrap(), ntk().diagonal(&data.batches()).unwrap());
    }
    // A file of samples of another shape.
    npy::write(&path, &[3, 4], &numbers(12, 1)).unwrap();
    let error = session.ntk().compute(&npy::Mapped::<f64>::open(&path).unwrap()).unwrap_err();
    says(error, Error::is_shape, &["[2, 4, 3]", "[3, 4]"]);
}

#[test]
fn errors_of_a_reader_are_returned() {
    let model = mlp();
    let session = Session::new(&model, Cpu::<f64>::new()).unwrap();
    let data = Data::random(&model, 4, 1);
    let good = data.batches();
    let broken = Reader::new(64, &[&[4]], |_, range| {
        if range.contains(&40) {
            Err(Error::io("the tape is torn at sample 40"))
        } else {
            Ok(vec![0.5; range.len() * 4])
        }
    });
    let short = Reader::new(64, &[&[4]], |_, range| Ok(vec![0.5; range.len() * 4 - usize::from(range.contains(&40))]));
    let nan = Reader::new(64, &[&[4]], |_, range| {
        Ok(range.flat_map(|n| [0.0, 0.0, 0.0, if n == 40 { f64::NAN } else { 0.0 }]).collect::<Vec<f64>>())
    });
    type Wrong<'a> = (&'a dyn Samples<f64>, fn(&Error) -> bool, &'a [&'a str]);
    let wrong: [Wrong<'_>; 3] = [
        (&broken, Error::is_io, &["torn at sample 40"]),
        (&short, Error::is_shape, &["numbers", "needed"]),
        (&nan, Error::is_value, &["NaN at entry 3 of sample 40"]),
    ];
    for (x, is, parts) in wrong {
        for method in Method::ALL {
            says(session.ntk().method(method).compute(x).unwrap_err(), is, parts);
        }
        says(session.ntk().between(&good, x).unwrap_err(), is, parts);
        says(session.ntk().diagonal(x).unwrap_err(), is, parts);
        says(session.run(x).unwrap_err(), is, parts);
        says(session.gradient(x, &[0.0; 192]).unwrap_err(), is, parts);
        says(session.jacobian(x).unwrap_err(), is, parts);
    }
}

#[test]
fn invalid_row_numbers_are_errors_that_name_them() {
    let model = ids_and_features();
    let session = Session::new(&model, Cpu::<f64>::new()).unwrap();
    let features = numbers(6, 1);
    let features = Batch::new(&features, &[3, 2]).unwrap();
    for (bad, word) in [(5.0, "5"), (-1.0, "-1"), (2.5, "2.5"), (1e300, "1"), (f64::NAN, "NaN")] {
        let mut ids = row_numbers(12, 5, 1);
        ids[9] = bad;
        let ids = Batch::new(&ids, &[3, 4]).unwrap();
        let x = [ids, features.clone()];
        let parts: &[&str] = if bad.is_nan() { &["NaN"] } else { &["not a row number of a table of 5"] };
        for error in [
            session.ntk().compute(&x).unwrap_err(),
            session.ntk().method(Method::ForwardMode).compute(&x).unwrap_err(),
            session.ntk().diagonal(&x).unwrap_err(),
            session.run(&x).unwrap_err(),
        ] {
            says(error.clone(), Error::is_value, parts);
            says(error, Error::is_value, &["input 0", word, "entry 1 of sample 2"]);
        }
    }
}

/// Row numbers that an op computes are known in a run only. The error of the kernel names the op and the sample.
#[test]
fn computed_row_numbers_outside_of_the_table_are_errors() {
    let mut graph = Graph::new(&[2]).unwrap();
    let table = graph.parameter("t", &[5, 2]).unwrap();
    let x = graph.input();
    let ids = graph.scale(x, 2.0).unwrap();
    let h = graph.embedding(ids, table).unwrap();
    let h = graph.unary(Tanh, h).unwrap();
    let y = read_out(&mut graph, h, 2);
    let model = filled(Model::new(graph, y).unwrap());
    let session = Session::new(&model, Cpu::<f64>::new()).unwrap();
    session.ntk().compute(&Batch::new(&[0.0, 2.0, 1.0, 0.0], &[2, 2]).unwrap()).unwrap();
    let error = session.ntk().compute(&Batch::new(&[0.0, 2.0, 1.0, 3.0], &[2, 2]).unwrap()).unwrap_err();
    says(error, Error::is_value, &["embedding gives NaN for sample 1", "row number"]);
}

/// Row numbers next to other numbers in one input. An invalid row number is not rounded to a valid one.
#[test]
fn row_numbers_in_a_part_of_an_input_are_not_rounded() {
    let mut graph = Graph::new(&[4]).unwrap();
    let table = graph.parameter("t", &[5, 2]).unwrap();
    let x = graph.input();
    let ids = graph.slice(x, 0, 1..3).unwrap();
    let h = graph.embedding(ids, table).unwrap();
    let h = graph.unary(Tanh, h).unwrap();
    let y = read_out(&mut graph, h, 2);
    let model = filled(Model::new(graph, y).unwrap());
    let session = Session::new(&model, Cpu::<f64>::new()).unwrap();
    let kernel_of = |ids: [f64; 2]| session.ntk().compute(&Batch::new(&[0.3, ids[0], ids[1], -7.5], &[1, 4]).unwrap());
    assert!(kernel_of([4.0, 0.0]).is_ok());
    for bad in [[5.0, 0.0], [-1.0, 0.0], [0.0, 2.4]] {
        says(kernel_of(bad).unwrap_err(), Error::is_value, &["not finite"]);
    }
}
