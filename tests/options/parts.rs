//! Some parameters, and K = J M J^T.

use super::*;

#[test]
fn some_parameters_have_the_components_that_they_have_among_all() {
    for (name, model) in models() {
        let session = Session::new(&model, Cpu::<f64>::new()).unwrap();
        let data = Data::random(&model, 18, 1);
        let x = data.batches();
        for outputs in modes(3) {
            let whole = session.ntk().outputs(outputs).compute(&x).unwrap();
            for patterns in [&["*.weight"][..], &["out.*", "d2*"], &["*bias"], &["*"]] {
                let fitting = |pattern: &&&str| session.ntk().parameters(&[pattern]).plan(1).is_ok();
                let patterns: Vec<&str> = patterns.iter().filter(fitting).copied().collect();
                for method in Method::ALL.into_iter().filter(|&method| supports(method, name)) {
                    let some = session.ntk().outputs(outputs).method(method).parameters(&patterns);
                    let kernel = some.compute(&x).unwrap();
                    let what = format!("{name}, {outputs:?}, {patterns:?}, {method}");
                    let mut sum = vec![0.0; whole.total().as_slice().len()];
                    for (own, matrix) in kernel.components() {
                        let expected = whole.component(own).unwrap();
                        assert!(
                            matrix.distance(expected).unwrap() <= 1e-12 * expected.frobenius_norm(),
                            "{what}: {own}"
                        );
                        sum.iter_mut().zip(expected.as_slice()).for_each(|(sum, x)| *sum += x);
                    }
                    let scale = whole.total().frobenius_norm();
                    for (got, expected) in kernel.total().as_slice().iter().zip(&sum) {
                        assert!((got - expected).abs() < 1e-12 * scale, "{what}: {got} {expected}");
                    }
                    let bare = some.components(false).compute(&x).unwrap();
                    assert!(bare.total().distance(kernel.total()).unwrap() <= 1e-12 * scale, "{what}");
                }
            }
        }
    }
    let model = mlp();
    let session = Session::new(&model, Cpu::<f64>::new()).unwrap();
    let data = Data::random(&model, 3, 1);
    let names = |patterns: &[&str]| {
        let kernel = session.ntk().parameters(patterns).compute(&data.batches()).unwrap();
        kernel.components().iter().map(|(name, _)| name.clone()).collect::<Vec<_>>()
    };
    assert_eq!(names(&["d3.*", "d1.bias", "d1.*"]), ["d1.weight", "d1.bias", "d3.weight", "d3.bias"]);
    assert_eq!(names(&["d2.weight"]), ["d2.weight"]);
    for pattern in ["d9*", "weight", ""] {
        let error = session.ntk().parameters(&["d1.*", pattern]).compute(&data.batches()).unwrap_err();
        says(error, Error::is_name, &[&format!("'{pattern}'"), "d1.weight"]);
    }
}

/// A metric's weights for every entry of every parameter.
pub type Weights = Vec<(String, Vec<f64>)>;

/// J M J^T in a mode of outputs, from the session's Jacobian: every parameter's part, then the total.
fn by_jacobian(
    session: &Session<'_, Cpu<f64>>,
    x: &dyn Samples<f64>,
    outputs: Outputs,
    weights: &Weights,
) -> Vec<Vec<f64>> {
    let jacobian = session.jacobian(x).unwrap();
    let (n, c) = (jacobian.samples(), jacobian.outputs());
    let mut parts: Vec<Vec<f64>> = jacobian
        .iter()
        .zip(weights)
        .map(|((info, rows), (name, weights))| {
            assert_eq!(&info.name, name);
            let p = weights.len();
            let row = |sample: usize, output: usize| &rows[(sample * c + output) * p..][..p];
            let dot = |(i, a): (usize, usize), (j, b): (usize, usize)| -> f64 {
                row(i, a).iter().zip(row(j, b)).zip(weights).map(|((x, y), w)| x * w * y).sum()
            };
            let pairs = || (0..n).flat_map(move |i| (0..n).map(move |j| (i, j)));
            let trace = |(i, j)| (0..c).map(|a| dot((i, a), (j, a))).sum::<f64>();
            let all = |(i, j)| (0..c).flat_map(|a| (0..c).map(move |b| (a, b))).map(|(a, b)| dot((i, a), (j, b))).sum();
            let at_output = |a| pairs().map(move |(i, j)| ((i, a), (j, a)));
            match outputs {
                Outputs::TraceSum => pairs().map(trace).collect(),
                Outputs::TraceMean => pairs().map(|pair| trace(pair) / c as f64).collect(),
                Outputs::PerOutput => (0..c).flat_map(at_output).map(|(first, second)| dot(first, second)).collect(),
                Outputs::Output(a) => at_output(a).map(|(first, second)| dot(first, second)).collect(),
                Outputs::SumOfOutputs => pairs().map(all).collect(),
                _ => {
                    let rows = || (0..n).flat_map(move |i| (0..c).map(move |a| (i, a)));
                    rows()
                        .flat_map(|first| rows().map(move |second| (first, second)))
                        .map(|(first, second)| dot(first, second))
                        .collect()
                }
            }
        })
        .collect();
    let total = (0..parts[0].len()).map(|k| parts.iter().map(|part| part[k]).sum()).collect();
    parts.push(total);
    parts
}

#[track_caller]
fn assert_parts(kernel: &Kernel<f64>, expected: &[Vec<f64>], what: &str) {
    let scale = kernel.total().frobenius_norm();
    let matrices = kernel.components().iter().map(|(_, matrix)| matrix).chain([kernel.total()]);
    assert_eq!(kernel.components().len() + 1, expected.len());
    for (k, (matrix, expected)) in matrices.zip(expected).enumerate() {
        assert_eq!(matrix.as_slice().len(), expected.len(), "{what}");
        for (got, expected) in matrix.as_slice().iter().zip(expected) {
            assert!((got - expected).abs() < 1e-12 * scale, "{what}, part {k}: {got} {expected}");
        }
    }
}

/// Positive weights without a pattern.
fn positive(count: usize, seed: u64) -> Vec<f64> {
    numbers(count, seed).into_iter().map(|x| x + 1.25).collect()
}

pub type Asked<'s> = Ntk<'s, Cpu<f64>, Builtin>;

/// Every kind of metric: how it is asked for, and what it weighs every entry with.
pub fn metrics<'s>(ntk: &Asked<'s>, model: &Model) -> Vec<(&'static str, Asked<'s>, Weights)> {
    let infos = model.parameters();
    let size = |k: usize| infos[k].shape.iter().product::<usize>();
    let ones = || (0..infos.len()).map(|k| (infos[k].name.clone(), vec![1.0; size(k)])).collect::<Weights>();
    let mut uniform = (ntk.clone().metric("*", 0.3).metric("*.weight", 2.5), ones());
    let (mut elements, mut rank_one) = ((ntk.clone(), ones()), (ntk.clone(), ones()));
    for (k, info) in infos.iter().enumerate() {
        let name = &info.name;
        uniform.1[k].1.fill(if name.ends_with(".weight") { 2.5 } else { 0.3 });
        let weights = positive(size(k), 3 + k as u64);
        elements = (elements.0.metric_diagonal(name, weights.clone()), elements.1);
        elements.1[k].1 = weights;
        let rows = info.shape[0];
        let (out, input) = (positive(rows, 4 + k as u64), positive(size(k) / rows, 9 + k as u64));
        rank_one.1[k].1 = out.iter().flat_map(|o| input.iter().map(move |i| o * i)).collect();
        rank_one = (rank_one.0.metric_rank_one(name, out, input), rank_one.1);
    }
    let list = [("uniform", uniform), ("by entry", elements), ("of rank one", rank_one)];
    list.map(|(name, (ntk, weights))| (name, ntk, weights)).into()
}

#[test]
fn a_metric_gives_j_m_j_transposed_by_every_method_and_way() {
    for (name, model) in models() {
        let session = Session::new(&model, Cpu::<f64>::new()).unwrap();
        let data = Data::random(&model, 9, 1);
        let x = data.batches();
        for outputs in modes(3) {
            for (kind, ntk, weights) in metrics(&session.ntk().outputs(outputs), &model) {
                let expected = by_jacobian(&session, &x, outputs, &weights);
                for method in Method::ALL.into_iter().filter(|&method| supports(method, name)) {
                    let what = format!("{name}, {outputs:?}, weights {kind}, {method}");
                    let kernel = ntk.clone().method(method).compute(&x);
                    if method == Method::ClosedForm && kind != "uniform" {
                        says(kernel.unwrap_err(), Error::is_unsupported, &["closed-form", "structured"]);
                        continue;
                    }
                    assert_parts(&kernel.unwrap(), &expected, &what);
                }
                for p in ntk.plan(9).unwrap().parameters {
                    for (strategy, _) in p.alternatives {
                        let kernel = ntk.clone().force(&p.name, strategy).compute(&x).unwrap();
                        assert_parts(
                            &kernel,
                            &expected,
                            &format!("{name}, {outputs:?}, weights {kind}, {} {strategy}", p.name),
                        );
                    }
                }
                let other = Data::random(&model, 5, 7);
                let rows = ntk.clone().method(Method::FullJacobian).between(&x, &other.batches()).unwrap();
                let what = format!("{name}, {outputs:?}, weights {kind}, between");
                assert_close(&ntk.between(&x, &other.batches()).unwrap(), &rows, &what);
            }
        }
    }
}

#[test]
fn weights_that_are_none_are_refused_by_name() {
    let model = mlp();
    let session = Session::new(&model, Cpu::<f64>::new()).unwrap();
    let data = Data::random(&model, 3, 1);
    let refused = |ntk: Ntk<'_, _, _>, is: fn(&Error) -> bool, parts: &[&str]| {
        says(ntk.clone().compute(&data.batches()).unwrap_err(), is, parts);
        says(ntk.clone().diagonal(&data.batches()).unwrap_err(), is, parts);
        says(ntk.plan(3).unwrap_err(), is, parts);
    };
    for (bad, word) in [(0.0, "is 0"), (-0.0, "is -0"), (-2.0, "is -2"), (f64::NAN, "NaN"), (f64::INFINITY, "inf")] {
        refused(session.ntk().metric("d2.*", bad), Error::is_value, &["d2.weight", word, "positive"]);
        let mut list = vec![1.0; 5];
        list[3] = bad;
        refused(session.ntk().metric_diagonal("d1.bias", list.clone()), Error::is_value, &["d1.bias", "entry 3", word]);
        let rank_one = session.ntk().metric_rank_one("d1.weight", list, vec![1.0; 4]);
        refused(rank_one, Error::is_value, &["d1.weight", word]);
    }
    refused(session.ntk().metric_diagonal("d1.weight", vec![1.0; 19]), Error::is_shape, &["d1.weight", "19", "[5, 4]"]);
    refused(session.ntk().metric_diagonal("d1.*", vec![1.0; 20]), Error::is_shape, &["d1.bias", "20", "[5]"]);
    let swapped = session.ntk().metric_rank_one("d1.weight", vec![1.0; 4], vec![1.0; 5]);
    refused(swapped, Error::is_shape, &["d1.weight", "4 x 5", "[5, 4]"]);
    let short = session.ntk().metric_rank_one("d1.weight", vec![1.0; 5], vec![1.0; 3]);
    refused(short, Error::is_shape, &["d1.weight", "5 x 3"]);
    refused(session.ntk().metric("d7.*", 1.0), Error::is_name, &["d7.*", "d1.weight"]);
    // The first error of an option is returned.
    refused(session.ntk().metric("d7.*", 1.0).metric("d1.*", -1.0).parameters(&["d8"]), Error::is_name, &["d7.*"]);
}
