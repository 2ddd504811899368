//! Laws that every kernel obeys, on networks and batches drawn at random.

use proptest::prelude::*;
use tangent_kernels::unary::{Erf, Relu, Silu, Tanh, Unary};
use tangent_kernels::{Batch, Cpu, Kernel, Model, Outputs, Real, Sequential, Session};

fn numbers(count: usize, seed: u64) -> Vec<f64> {
    (1..=count as u64).map(|k| ((k * k + 31 * seed * k) as f64 * 0.618_033_988_749_894_9).fract() * 2.0 - 1.0).collect()
}

fn mlp(widths: &[usize], f: Unary, bias: bool, seed: u64) -> Model {
    let network = Sequential::ntk(&widths[..1]);
    let layers = &widths[1..];
    let network = if bias { network.mlp(layers, f) } else { network.mlp_without_bias(layers, f) };
    let mut model = network.build().unwrap();
    for (k, info) in model.parameters().to_vec().into_iter().enumerate() {
        let count = info.shape.iter().product();
        model.set(&info.name, &info.shape, numbers(count, seed + k as u64)).unwrap();
    }
    model
}

fn kernel<R: Real>(model: &Model, x: &[f64], outputs: Outputs) -> Kernel<R> {
    let x: Vec<R> = x.iter().map(|&x| R::from_f64(x)).collect();
    let features = model.input_shape()[0];
    let session = Session::new(model, Cpu::<R>::new()).unwrap();
    session.ntk().outputs(outputs).compute(&Batch::new(&x, &[x.len() / features, features]).unwrap()).unwrap()
}

fn functions() -> impl Strategy<Value = Unary> {
    prop_oneof![Just(Tanh.into()), Just(Relu.into()), Just(Silu.into()), Just(Erf.into())]
}

fn outputs() -> impl Strategy<Value = Outputs> {
    use Outputs::*;
    prop_oneof![Just(Full), Just(TraceSum), Just(TraceMean), Just(PerOutput), Just(Output(0)), Just(SumOfOutputs)]
}

prop_compose! {
    fn networks()(
        widths in proptest::collection::vec(1usize..9, 2..5), f in functions(), bias in any::<bool>(), seed in 0u64..100,
    ) -> Model {
        mlp(&widths, f, bias, seed)
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn kernels_are_symmetric_bit_for_bit_and_the_sum_of_their_components(
        model in networks(), n in 0usize..50, seed in 0u64..100, outputs in outputs(),
    ) {
        let x = numbers(n * model.input_shape()[0], seed);
        let kernel = kernel::<f32>(&model, &x, outputs);
        let total = kernel.total();
        let [blocks, rows, cols] = total.shape();
        prop_assert_eq!(rows, cols);
        for block in 0..blocks {
            let k = total.block(block);
            for i in 0..rows {
                for j in 0..i {
                    prop_assert_eq!(k[i * rows + j].to_bits(), k[j * rows + i].to_bits());
                }
            }
        }
        let mut sum = vec![0.0f32; total.as_slice().len()];
        for (_, component) in kernel.components() {
            sum.iter_mut().zip(component.as_slice()).for_each(|(sum, x)| *sum += x);
        }
        prop_assert_eq!(&sum, total.as_slice());
        prop_assert_eq!(kernel.components().len(), model.parameters().len());
    }

    #[test]
    fn kernels_are_positive_semidefinite_to_rounding(model in networks(), n in 1usize..12, seed in 0u64..100) {
        let kernel = kernel::<f64>(&model, &numbers(n * model.input_shape()[0], seed), Outputs::Full);
        let rows = kernel.total().rows();
        let k = faer::Mat::from_fn(rows, rows, |i, j| kernel.total()[(i, j)]);
        let smallest = k.self_adjoint_eigenvalues(faer::Side::Lower).unwrap()[0];
        prop_assert!(smallest > -1e-13 * (1.0 + kernel.total().trace()), "{}", smallest);
    }

    #[test]
    fn permuting_samples_permutes_the_kernel_and_entries_do_not_depend_on_other_samples(
        model in networks(), n in 2usize..40, seed in 0u64..100, shift in 1usize..39,
    ) {
        let features = model.input_shape()[0];
        let x = numbers(n * features, seed);
        let mut rotated = x.clone();
        rotated.rotate_left((shift % n) * features);
        let (k, r) = (kernel::<f64>(&model, &x, Outputs::TraceSum), kernel::<f64>(&model, &rotated, Outputs::TraceSum));
        let scale = 1.0 + k.total().frobenius_norm();
        for i in 0..n {
            for j in 0..n {
                let from = ((i + shift) % n, (j + shift) % n);
                prop_assert!((r.total()[(i, j)] - k.total()[from]).abs() < 1e-13 * scale);
            }
            let alone = kernel::<f64>(&model, &x[i * features..(i + 1) * features], Outputs::TraceSum);
            prop_assert!((alone.total()[(0, 0)] - k.total()[(i, i)]).abs() < 1e-13 * scale);
        }
    }

    #[test]
    fn kernels_between_batches_are_parts_of_the_kernel_of_both(
        model in networks(), n in 0usize..30, m in 0usize..30, seed in 0u64..100, outputs in outputs(),
    ) {
        let features = model.input_shape()[0];
        let both = numbers((n + m) * features, seed);
        let whole = kernel::<f64>(&model, &both, outputs);
        let (x, z) = both.split_at(n * features);
        let session = Session::new(&model, Cpu::<f64>::new()).unwrap();
        let batch = |data, count| Batch::new(data, &[count, features]).unwrap();
        let part = session.ntk().outputs(outputs).between(&batch(x, n), &batch(z, m)).unwrap();
        let outputs_per_sample = if outputs == Outputs::Full { model.outputs() } else { 1 };
        prop_assert_eq!(part.total().shape(), [whole.total().blocks(), n * outputs_per_sample, m * outputs_per_sample]);
        let scale = 1.0 + whole.total().frobenius_norm();
        let names = part.components().iter().map(|(name, _)| name.clone());
        for (k, name) in names.map(Some).chain([None]).enumerate() {
            let (part, whole) = match &name {
                Some(_) => (&part.components()[k].1, &whole.components()[k].1),
                None => (part.total(), whole.total()),
            };
            for block in 0..part.blocks() {
                for i in 0..part.rows() {
                    for j in 0..part.cols() {
                        let expected = whole.block(block)[i * whole.cols() + n * outputs_per_sample + j];
                        prop_assert!((part.block(block)[i * part.cols() + j] - expected).abs() < 1e-13 * scale);
                    }
                }
            }
        }
    }
}

/// One thread and many give the same bits, for every method and in both precisions.
#[test]
fn threads_do_not_change_a_bit() {
    fn bits<R: Real>(threads: usize) -> Vec<Vec<u8>> {
        let model = mlp(&[12, 20, 15, 3], Tanh.into(), true, 4);
        let x: Vec<R> = numbers(90 * 12, 8).into_iter().map(R::from_f64).collect();
        let x = Batch::new(&x, &[90, 12]).unwrap();
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        let session = Session::new(&model, Cpu::<R>::new()).unwrap();
        let kernel_by = |method| session.ntk().method(method).compute(&x).unwrap();
        pool.install(|| {
            let kernels = tangent_kernels::Method::ALL.into_iter().map(kernel_by);
            kernels.map(|kernel| bytemuck::cast_slice(kernel.total().as_slice()).to_vec()).collect()
        })
    }
    for threads in [2, 8] {
        assert_eq!(bits::<f32>(1), bits::<f32>(threads));
        assert_eq!(bits::<f64>(1), bits::<f64>(threads));
    }
}

#[test]
fn the_total_is_the_same_with_and_without_components() {
    let model = mlp(&[6, 9, 4, 2], Silu.into(), true, 4);
    let x = numbers(70 * 6, 8);
    let batch = Batch::new(&x, &[70, 6]).unwrap();
    let session = Session::new(&model, Cpu::<f64>::new()).unwrap();
    let (with, without) =
        (session.ntk().compute(&batch).unwrap(), session.ntk().components(false).compute(&batch).unwrap());
    assert!(without.components().is_empty());
    assert!(with.total().distance(without.total()).unwrap() < 1e-13 * with.total().frobenius_norm());
}

#[test]
fn layers_are_weights_and_biases_together() {
    let model = mlp(&[3, 5, 2], Tanh.into(), true, 1);
    let kernel = kernel::<f64>(&model, &numbers(12, 3), Outputs::Full);
    let layers = kernel.clone().by_layer();
    let layers = layers.components();
    assert_eq!(layers.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>(), ["d1", "d2"]);
    let entry = |name: &str| kernel.component(name).unwrap()[(1, 2)];
    assert_eq!(layers[0].1[(1, 2)], entry("d1.weight") + entry("d1.bias"));
    assert_eq!(kernel.group("d2").unwrap(), layers[1].1);
    assert!(kernel.group("d3").unwrap_err().to_string().contains("d2.bias"));
}

#[test]
fn no_sample_gives_an_empty_kernel_and_no_parameter_a_zero_one() {
    let model = mlp(&[3, 5, 2], Tanh.into(), true, 1);
    for method in tangent_kernels::Method::ALL {
        let session = Session::new(&model, Cpu::<f64>::new()).unwrap();
        let empty = session.ntk().method(method).compute(&Batch::new(&[], &[0, 3]).unwrap()).unwrap();
        assert_eq!((empty.total().shape(), empty.components().len()), ([1, 0, 0], 4), "{method}");
    }
    let without_parameters = Sequential::standard(&[2]).tanh().build().unwrap();
    let session = Session::new(&without_parameters, Cpu::<f64>::new()).unwrap();
    let kernel = session.ntk().compute(&Batch::new(&[0.1, 0.2], &[1, 2]).unwrap()).unwrap();
    assert_eq!(kernel.total().as_slice(), [0.0; 4]);
}

#[test]
fn the_gradient_is_the_jacobian_s_weighted_sum_for_any_number_of_threads() {
    let model = mlp(&[4, 6, 3], Silu.into(), true, 2);
    let n = 1100; // more than two blocks
    let x = numbers(n * 4, 7);
    let u = numbers(n * 3, 9);
    let session = Session::new(&model, Cpu::<f64>::new()).unwrap();
    let batch = Batch::new(&x, &[n, 4]).unwrap();
    let gradient_on = |threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| session.gradient(&batch, &u).unwrap())
    };
    let (gradient, jacobian) = (gradient_on(1), session.jacobian(&batch).unwrap());
    assert_eq!(gradient, gradient_on(2));
    for (info, rows) in jacobian.iter() {
        let p = info.shape.iter().product::<usize>();
        for (k, got) in gradient.parameter(&info.name).unwrap().iter().enumerate() {
            let expected: f64 = rows.chunks_exact(p).zip(&u).map(|(row, u)| row[k] * u).sum();
            assert!((got - expected).abs() < 1e-11, "{} {k}: {got} {expected}", info.name);
        }
    }
}

#[test]
fn the_jacobian_s_gram_is_the_kernel() {
    let model = mlp(&[4, 6, 3], Erf.into(), true, 2);
    let x = numbers(5 * 4, 7);
    let session = Session::new(&model, Cpu::<f64>::new()).unwrap();
    let batch = Batch::new(&x, &[5, 4]).unwrap();
    let (jacobian, kernel) = (session.jacobian(&batch).unwrap(), session.ntk().compute(&batch).unwrap());
    assert_eq!((jacobian.samples(), jacobian.outputs()), (5, 3));
    for (info, rows) in jacobian.iter() {
        let p = info.shape.iter().product::<usize>();
        assert_eq!(rows.len(), 15 * p);
        for i in 0..15 {
            for j in 0..15 {
                let dot: f64 = rows[i * p..(i + 1) * p].iter().zip(&rows[j * p..(j + 1) * p]).map(|(a, b)| a * b).sum();
                assert!((dot - kernel.component(&info.name).unwrap()[(i, j)]).abs() < 1e-13);
            }
        }
    }
    assert!(jacobian.parameter("nothing").unwrap_err().is_name());
}
