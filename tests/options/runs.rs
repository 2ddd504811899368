//! The diagonal, cancelling, threads of the caller, and the smallest batches.

use super::*;
use crate::parts::metrics;

#[test]
fn the_diagonal_is_the_kernel_s() {
    for (name, model) in models() {
        let session = Session::new(&model, Cpu::<f64>::new()).unwrap();
        let data = Data::random(&model, 18, 1);
        let x = data.batches();
        for outputs in modes(3) {
            let plain = session.ntk().outputs(outputs);
            let some = plain.clone().parameters(if name == "mlp" { &["d2*", "d3.bias"] } else { &["out.*", "*s*"] });
            let mut list = vec![("all", plain.clone()), ("some", some)];
            list.extend(metrics(&plain, &model).into_iter().map(|(kind, ntk, _)| (kind, ntk)));
            for (kind, ntk) in list {
                let (kernel, diagonal) = (ntk.compute(&x).unwrap(), ntk.diagonal(&x).unwrap());
                let diagonal_of = |matrix: &tangent_kernels::Matrix<f64>| {
                    let block = |b| matrix.block(b).iter().step_by(matrix.cols() + 1).copied().collect::<Vec<_>>();
                    (0..matrix.blocks()).flat_map(block).collect::<Vec<_>>()
                };
                assert_eq!(diagonal.components().len(), kernel.components().len());
                let pairs =
                    kernel.components().iter().zip(diagonal.components()).map(|((component, matrix), (name, list))| {
                        assert_eq!(component, name);
                        assert_eq!(diagonal.component(name).unwrap(), list);
                        (component.as_str(), diagonal_of(matrix), &list[..])
                    });
                for (part, expected, got) in pairs.chain([("total", diagonal_of(kernel.total()), diagonal.total())]) {
                    assert_eq!(got.len(), expected.len(), "{name}, {outputs:?}, {kind}, {part}");
                    for (got, expected) in got.iter().zip(&expected) {
                        let what = format!("{name}, {outputs:?}, {kind}, {part}: {got} {expected}");
                        assert!((got - expected).abs() < 1e-12 * (1.0 + expected), "{what}");
                    }
                }
                assert!(diagonal.component("nothing").unwrap_err().is_name());
            }
        }
    }
}

#[test]
fn a_callback_cancels_every_method_and_the_diagonal() {
    let model = planes();
    let session = Session::new(&model, Cpu::<f64>::new()).unwrap();
    let data = Data::random(&model, 40, 1);
    for at in [1, 4] {
        let stop = |progress: Progress| {
            assert!(progress.done <= progress.total);
            if progress.done < at { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        };
        for method in Method::ALL.into_iter().filter(|&method| method != Method::ClosedForm) {
            let ntk = session.ntk().method(method).progress(&stop);
            says(ntk.compute(&data.batches()).unwrap_err(), Error::is_cancelled, &["cancelled at step"]);
            let error = ntk.between(&data.batches(), &data.batches()).unwrap_err();
            says(error, Error::is_cancelled, &["cancelled at step"]);
        }
    }
    let stop = |_: Progress| ControlFlow::Break(());
    says(session.ntk().progress(&stop).diagonal(&data.batches()).unwrap_err(), Error::is_cancelled, &["cancelled"]);
}

#[test]
fn a_pool_s_threads_compute_and_no_others() {
    let model = planes();
    let session = Session::new(&model, Cpu::<f64>::new()).unwrap();
    let data = Data::random(&model, 40, 1);
    let x = data.batches();
    let name = |pool: &'static str| move |thread: usize| format!("{pool} {thread}");
    let pool =
        |pool, threads| rayon::ThreadPoolBuilder::new().num_threads(threads).thread_name(name(pool)).build().unwrap();
    let (own, outer) = (pool("own", 2), pool("outer", 1));
    let seen = Mutex::new(HashSet::new());
    let note = |_: Progress| {
        seen.lock().unwrap().insert(std::thread::current().name().unwrap_or("nameless").to_string());
        ControlFlow::Continue(())
    };
    let only = |prefix: &str| {
        let mut seen = seen.lock().unwrap();
        assert!(!seen.is_empty(), "nobody computed");
        assert!(seen.iter().all(|name| name.starts_with(prefix)), "{prefix}: {seen:?}");
        seen.clear();
    };
    for method in Method::ALL.into_iter().filter(|&method| method != Method::ClosedForm) {
        let ntk = session.ntk().method(method).progress(&note);
        let kernel = ntk.clone().pool(&own).compute(&x).unwrap();
        only("own");
        // The option outweighs the pool that the caller is in, which is the default.
        assert_eq!(outer.install(|| ntk.clone().pool(&own).compute(&x)).unwrap(), kernel);
        only("own");
        assert_eq!(outer.install(|| ntk.compute(&x)).unwrap(), kernel);
        only("outer");
        ntk.clone().pool(&own).between(&x, &x).unwrap();
        only("own");
    }
    session.ntk().progress(&note).pool(&own).diagonal(&x).unwrap();
    only("own");
}

#[test]
fn no_sample_and_one_sample_work_in_every_mode() {
    for (name, model) in models() {
        let session = Session::new(&model, Cpu::<f64>::new()).unwrap();
        let [none, one, more] = [0, 1, 17].map(|samples| Data::random(&model, samples, 1));
        let count = model.parameters().len();
        for outputs in modes(3) {
            let (blocks, outputs_per_sample) = match outputs {
                Outputs::Full => (1, 3),
                Outputs::PerOutput => (3, 1),
                _ => (1, 1),
            };
            let expected = session.ntk().outputs(outputs).method(Method::FullJacobian).compute(&one.batches()).unwrap();
            for method in Method::ALL.into_iter().filter(|&method| supports(method, name)) {
                let what = format!("{name}, {outputs:?}, {method}");
                let ntk = session.ntk().outputs(outputs).method(method);
                let shape = |kernel: Kernel<f64>| (kernel.total().shape(), kernel.components().len());
                let empty = ntk.compute(&none.batches()).unwrap();
                assert!(empty.components().iter().all(|(_, matrix)| matrix.shape() == [blocks, 0, 0]), "{what}");
                assert_eq!(shape(empty), ([blocks, 0, 0], count), "{what}");
                let wide = ntk.between(&none.batches(), &more.batches()).unwrap();
                assert_eq!(shape(wide), ([blocks, 0, 17 * outputs_per_sample], count), "{what}");
                let high = ntk.between(&more.batches(), &none.batches()).unwrap();
                assert_eq!(shape(high), ([blocks, 17 * outputs_per_sample, 0], count), "{what}");
                let kernel = ntk.compute(&one.batches()).unwrap();
                assert_eq!(kernel.total().shape(), [blocks, outputs_per_sample, outputs_per_sample], "{what}");
                assert_close(&kernel, &expected, &what);
                assert_close(&ntk.between(&one.batches(), &one.batches()).unwrap(), &expected, &what);
            }
            let diagonal = session.ntk().outputs(outputs).diagonal(&none.batches()).unwrap();
            assert!(diagonal.total().is_empty());
            assert_eq!(diagonal.components().len(), count);
            let diagonal = session.ntk().outputs(outputs).diagonal(&one.batches()).unwrap();
            assert_eq!(diagonal.total().len(), blocks * outputs_per_sample, "{name}, {outputs:?}");
        }
        assert!(session.run(&none.batches()).unwrap().is_empty());
        assert!(session.gradient(&none.batches(), &[]).unwrap().iter().all(|(_, list)| list.iter().all(|&x| x == 0.0)));
        assert!(session.jacobian(&none.batches()).unwrap().iter().all(|(_, list)| list.is_empty()));
    }
}
