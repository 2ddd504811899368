//! Compares folds with plain loops over the kernel in memory.
#![cfg(feature = "rand")]

use tangent_kernels::analysis::accuracy;
use tangent_kernels::kernel::sink::{Alignment, Classifier, Folding, MatVec, RowSums, SquaredNorm, Trace};
use tangent_kernels::unary::Tanh;
use tangent_kernels::{Batch, Cpu, Matrix, Model, Outputs, Real, Sequential, Session};

fn model(outputs: usize) -> Model {
    let mut model = Sequential::standard(&[5]).mlp(&[9, 7, outputs], Tanh).build().unwrap();
    model.initialise(3).unwrap();
    model
}

fn numbers<R: Real>(count: usize, seed: usize) -> Vec<R> {
    (0..count).map(|k| R::from_f64((((k + seed) * (k + 3)) as f64 * 0.618_033_988_7).fract() * 2.0 - 1.0)).collect()
}

fn close(got: f64, expected: f64, what: &str) {
    assert!((got - expected).abs() <= 1e-12 * expected.abs().max(1.0), "{what}: {got} is not {expected}");
}

/// K v, the squared norm and the trace of a block by loops.
fn looped<R: Real>(matrix: &Matrix<R>, block: usize, v: &[f64]) -> (Vec<f64>, f64, f64) {
    let (rows, cols) = (matrix.rows(), matrix.cols());
    let entry = |i: usize, j: usize| matrix.block(block)[i * cols + j].f64();
    let product: Vec<f64> = (0..rows).map(|i| (0..cols).map(|j| entry(i, j) * v[j]).sum()).collect();
    let square = (0..rows).map(|i| (0..cols).map(|j| entry(i, j).powi(2)).sum::<f64>()).sum();
    let trace = (0..rows.min(cols)).map(|i| entry(i, i)).sum();
    (product, square, trace)
}

fn folds_are_loops<R: Real>(outputs: usize, mode: Outputs, n: usize) {
    let model = model(outputs);
    let session = Session::new(&model, Cpu::<R>::new()).unwrap();
    let x = numbers::<R>(n * 5, 0);
    let x = Batch::new(&x, &[n, 5]).unwrap();
    let ntk = || session.ntk().outputs(mode);
    let dense = ntk().compute(&x).unwrap();
    let y = numbers::<f64>(dense.total().cols(), 1);
    let mut folding = Folding::new(((Trace, SquaredNorm), (MatVec::new(y.clone()), Alignment::new(y.clone()))));
    ntk().fill(&x, &mut folding).unwrap();
    let mut rows = Folding::new(RowSums);
    ntk().fill(&x, &mut rows).unwrap();
    for (name, matrix) in &dense {
        let sums = folding.sums(name).unwrap();
        assert_eq!(sums.len(), matrix.blocks());
        for (block, ((trace, squared), (product, aligned))) in sums.iter().enumerate() {
            let (expected, square, expected_trace) = looped(matrix, block, &y);
            product.iter().zip(&expected).for_each(|(got, expected)| close(*got, *expected, name));
            let (sums, _, _) = looped(matrix, block, &vec![1.0; matrix.cols()]);
            rows.sums(name).unwrap()[block].iter().zip(&sums).for_each(|(got, expected)| close(*got, *expected, name));
            close(*trace, expected_trace, name);
            close(*squared, square, name);
            let dot = |a: &[f64]| a.iter().zip(&y).map(|(a, y)| a * y).sum::<f64>();
            close(aligned.value(), dot(&expected) / (square.sqrt() * dot(&y)), name);
        }
    }
    assert!(folding.sums("nothing").unwrap_err().to_string().contains("'nothing'"));
}

#[test]
fn folds_are_loops_over_the_kernel() {
    folds_are_loops::<f64>(1, Outputs::Full, 333);
    folds_are_loops::<f32>(3, Outputs::PerOutput, 150);
    folds_are_loops::<f64>(3, Outputs::Full, 60);
}

#[test]
fn folds_of_two_sets_of_samples() {
    let model = model(1);
    let session = Session::new(&model, Cpu::<f64>::new()).unwrap();
    let (x, z) = (numbers::<f64>(90 * 5, 0), numbers::<f64>(140 * 5, 5));
    let (x, z) = (Batch::new(&x, &[90, 5]).unwrap(), Batch::new(&z, &[140, 5]).unwrap());
    let v = numbers::<f64>(140, 2);
    let mut folding = Folding::new((MatVec::new(v.clone()), SquaredNorm));
    session.ntk().fill_between(&x, &z, &mut folding).unwrap();
    let dense = session.ntk().between(&x, &z).unwrap();
    let (expected, square, _) = looped(dense.total(), 0, &v);
    let (product, squared) = folding.total().unwrap();
    product.iter().zip(&expected).for_each(|(got, expected)| close(*got, *expected, "K(X, Z) v"));
    close(*squared, square, "|K|^2");
    let labels: Vec<f64> = v.iter().map(|x| x.signum()).collect();
    let (signed, _, _) = looped(dense.total(), 0, &labels);
    let mut folding = Folding::new((Classifier::new(labels), Classifier::weighted(&v, &[2.0; 140]).unwrap()));
    session.ntk().fill_between(&x, &z, &mut folding).unwrap();
    let (classified, weighted) = folding.total().unwrap();
    classified.iter().zip(&signed).for_each(|(got, expected)| close(*got, *expected, "scores"));
    weighted.iter().zip(&expected).for_each(|(got, expected)| close(*got, 2.0 * expected, "weighted scores"));
    // All labels are right except the first.
    let mut truth: Vec<f64> = signed.iter().map(|x| x.signum()).collect();
    truth[0] = -truth[0];
    close(accuracy(classified, &truth).unwrap(), 89.0 / 90.0, "accuracy");
    assert!(accuracy(classified, &truth[1..]).is_err());
    assert!(Classifier::weighted(&v, &[1.0]).is_err());

    let wrong = |error: tangent_kernels::Error, message: &str| {
        assert!(error.is_shape() && error.to_string().contains(message), "{error}");
    };
    wrong(
        session.ntk().fill_between(&x, &z, &mut Folding::new(Trace)).unwrap_err(),
        "the trace needs a square kernel K(X, X), got 90 x 140",
    );
    wrong(
        session.ntk().fill(&x, &mut Folding::new(MatVec::new(v.clone()))).unwrap_err(),
        "needs a vector of 90 entries, got 140",
    );
    wrong(
        session.ntk().fill_between(&x, &z, &mut Folding::new(Alignment::new(v))).unwrap_err(),
        "alignment needs a square kernel K(X, X), got 90 x 140",
    );
}

#[test]
fn threads_do_not_change_a_bit_of_a_fold() {
    let model = model(1);
    let session = Session::new(&model, Cpu::<f32>::new()).unwrap();
    let x = numbers::<f32>(700 * 5, 0);
    let x = Batch::new(&x, &[700, 5]).unwrap();
    let run = |threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        let mut folding = Folding::new((Trace, MatVec::new(numbers::<f64>(700, 1))));
        session.ntk().pool(&pool).fill(&x, &mut folding).unwrap();
        let (trace, product) = folding.total().unwrap();
        (trace.to_bits(), product.iter().map(|x| x.to_bits()).collect::<Vec<_>>())
    };
    let expected = run(1);
    for threads in [2, 3, 5, 2, 3] {
        assert_eq!(run(threads), expected);
    }
}
