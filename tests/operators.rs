//! Operators without matrices against dense ones.

use tangent_kernels::analysis::operator::{Operator, Operators};
use tangent_kernels::unary::Tanh;
use tangent_kernels::{Batch, Cpu, Jacobian, Loss, Model, Real, Sequential, Session};

/// Numbers without a pattern.
fn numbers<R: Real>(count: usize, seed: u64) -> Vec<R> {
    let at = |k: u64| (((k + 1) * (k + 7) + seed * 7919) as f64 * 0.618_033_988_749_894_9).fract() * 2.0 - 1.0;
    (0..count as u64).map(|k| R::from_f64(at(k))).collect()
}

fn model(sizes: &[usize]) -> Model {
    let mut model = Sequential::standard(&sizes[..1]).mlp(&sizes[1..], Tanh).build().unwrap();
    let infos = model.parameters().to_vec();
    for (k, info) in infos.iter().enumerate() {
        model.set(&info.name, &info.shape, numbers(info.shape.iter().product(), k as u64)).unwrap();
    }
    model
}

const N: usize = 7;
const C: usize = 2;

fn samples() -> Vec<f64> {
    numbers(3 * N, 11)
}

/// J of the parameters whose names begin with `prefix`, [N C, P].
fn dense(jacobian: &Jacobian<f64>, prefix: &str) -> Vec<Vec<f64>> {
    let mut rows = vec![Vec::new(); N * C];
    for (info, values) in jacobian.iter().filter(|(info, _)| info.name.starts_with(prefix)) {
        let size: usize = info.shape.iter().product();
        rows.iter_mut().zip(values.chunks_exact(size)).for_each(|(row, own)| row.extend(own));
    }
    rows
}

fn close(got: &[f64], want: &[f64], what: &str) {
    assert_eq!(got.len(), want.len(), "{what}");
    let scale = want.iter().fold(1.0f64, |max, x| max.max(x.abs()));
    for (k, (x, y)) in got.iter().zip(want).enumerate() {
        assert!((x - y).abs() < 1e-12 * scale, "{what}: entry {k} is {x}, not {y}");
    }
}

fn dot(x: &[f64], y: &[f64]) -> f64 {
    x.iter().zip(y).map(|(x, y)| x * y).sum()
}

/// J^T H J v / N, where `curved` gives H times the moved outputs.
fn normal(rows: &[Vec<f64>], v: &[f64], curved: impl Fn(Vec<f64>) -> Vec<f64>) -> Vec<f64> {
    let moved = curved(rows.iter().map(|row| dot(row, v)).collect());
    (0..v.len()).map(|p| rows.iter().zip(&moved).map(|(row, m)| row[p] * m).sum::<f64>() / N as f64).collect()
}

#[test]
fn products_are_those_of_the_matrices_in_total_and_by_layer() {
    let (model, x) = (model(&[3, 5, C]), samples());
    let session = Session::new(&model, Cpu::<f64>::new()).unwrap();
    let x = Batch::new(&x, &[N, 3]).unwrap();
    let jacobian = session.jacobian(&x).unwrap();
    let f = session.run(&x).unwrap();
    let classes: Vec<usize> = (0..N).map(|n| n % C).collect();
    let labels: Vec<f64> = (0..N * C).map(|k| if k % 3 == 0 { 1.0 } else { -1.0 }).collect();
    for prefix in ["", "d1", "d2.bias"] {
        let pattern = format!("{prefix}*");
        let all = Operators::new(&session, &x).unwrap().parameters(&[pattern]).unwrap();
        let rows = dense(&jacobian, prefix);
        let (u, v) = (numbers::<f64>(N * C, 1), numbers::<f64>(rows[0].len(), 2));
        assert_eq!((all.rows(), all.columns()), (N * C, v.len()));
        let k = |n: usize| (0..N * C).map(|m| dot(&rows[n], &rows[m]) * u[m]).sum::<f64>();
        close(&all.ntk().apply(&u).unwrap(), &(0..N * C).map(k).collect::<Vec<_>>(), "K u");
        close(&all.fisher().apply(&v).unwrap(), &normal(&rows, &v, |m| m), "F v");

        let squared = all.gauss_newton(Loss::SquaredError(&u)).unwrap();
        close(&squared.apply(&v).unwrap(), &normal(&rows, &v, |m| m), "Gauss-Newton of the squared error");
        let sigmoid = |x: f64| 1.0 / (1.0 + (-x).exp());
        let logistic = |m: Vec<f64>| m.iter().zip(&f).map(|(m, f)| m * sigmoid(*f) * sigmoid(-f)).collect();
        let got = all.gauss_newton(Loss::Logistic(&labels)).unwrap().apply(&v).unwrap();
        close(&got, &normal(&rows, &v, logistic), "Gauss-Newton of the logistic loss");
        let crossed = |m: Vec<f64>| {
            let of_sample = |(m, f): (&[f64], &[f64])| {
                let total: f64 = f.iter().map(|f| f.exp()).sum();
                let p: Vec<f64> = f.iter().map(|f| f.exp() / total).collect();
                let mean = dot(&p, m);
                p.iter().zip(m).map(|(p, m)| p * (m - mean)).collect::<Vec<_>>()
            };
            m.chunks_exact(C).zip(f.chunks_exact(C)).flat_map(of_sample).collect()
        };
        let got = all.gauss_newton(Loss::CrossEntropy(&classes)).unwrap().apply(&v).unwrap();
        close(&got, &normal(&rows, &v, crossed), "Gauss-Newton of the cross-entropy");
    }
}

/// The gradient of the mean loss by reverse mode, with parameters moved by `step` along `v`.
fn gradient_at(sizes: &[usize], loss: Loss<'_>, slope: impl Fn(&[f64]) -> Vec<f64>, v: &[f64], step: f64) -> Vec<f64> {
    let mut model = model(sizes);
    let mut first = 0;
    for info in model.parameters().to_vec() {
        let size: usize = info.shape.iter().product();
        let moved = model.parameter(&info.name).unwrap().iter().zip(&v[first..]).map(|(x, v)| x + step * v).collect();
        model.set(&info.name, &info.shape, moved).unwrap();
        first += size;
    }
    let session = Session::new(&model, Cpu::<f64>::new()).unwrap();
    let x = samples();
    let x = Batch::new(&x, &[N, 3]).unwrap();
    let f = session.run(&x).unwrap();
    assert!(loss.mean(&f, C).unwrap().is_finite());
    session.gradient(&x, &slope(&f)).unwrap().flat().iter().map(|g| g / N as f64).collect()
}

#[test]
fn hessians_are_differences_of_gradients() {
    let sizes = [3, 5, C];
    let (model, x) = (model(&sizes), samples());
    let session = Session::new(&model, Cpu::<f64>::new()).unwrap();
    let x = Batch::new(&x, &[N, 3]).unwrap();
    let operators = Operators::new(&session, &x).unwrap();
    let (y, v) = (numbers::<f64>(N * C, 3), numbers::<f64>(operators.columns(), 4));
    let classes: Vec<usize> = (0..N).map(|n| n % C).collect();
    let labels: Vec<f64> = (0..N * C).map(|k| if k % 3 == 0 { 1.0 } else { -1.0 }).collect();
    type Slope<'a> = Box<dyn Fn(&[f64]) -> Vec<f64> + 'a>;
    let cases: [(Loss<'_>, Slope<'_>); 3] = [
        (Loss::SquaredError(&y), Box::new(|f| f.iter().zip(&y).map(|(f, y)| f - y).collect())),
        (
            Loss::Logistic(&labels),
            Box::new(|f| f.iter().zip(&labels).map(|(f, y)| -y / (1.0 + (y * f).exp())).collect()),
        ),
        (
            Loss::CrossEntropy(&classes),
            Box::new(|f| {
                let of_sample = |(n, f): (usize, &[f64])| {
                    let total: f64 = f.iter().map(|f| f.exp()).sum();
                    let own = classes[n];
                    f.iter().enumerate().map(move |(c, f)| f.exp() / total - f64::from(c == own)).collect::<Vec<_>>()
                };
                f.chunks_exact(C).enumerate().flat_map(of_sample).collect()
            }),
        ),
    ];
    for (loss, slope) in cases {
        let hessian = operators.hessian(loss).unwrap();
        let got = hessian.apply(&v).unwrap();
        let step = 1e-5;
        let [after, before] = [step, -step].map(|step| gradient_at(&sizes, loss, &slope, &v, step));
        let scale = got.iter().fold(0.0f64, |max, x| max.max(x.abs()));
        for (k, x) in got.iter().enumerate() {
            let difference = (after[k] - before[k]) / (2.0 * step);
            assert!((x - difference).abs() < 1e-8 * scale, "{loss:?}: entry {k} is {x}, and not {difference}");
        }
        // Symmetric: <u, H v> = <H u, v>.
        let u = numbers::<f64>(operators.columns(), 5);
        let (one, two) = (dot(&u, &got), dot(&hessian.apply(&u).unwrap(), &v));
        assert!((one - two).abs() < 1e-12 * one.abs().max(1.0), "{loss:?}: {one} and {two}");
    }
}

#[test]
fn what_is_wrong_is_named() {
    let (model, x) = (model(&[3, 5, C]), samples());
    let session = Session::new(&model, Cpu::<f64>::new()).unwrap();
    let x = Batch::new(&x, &[N, 3]).unwrap();
    let operators = Operators::new(&session, &x).unwrap();
    assert!(operators.ntk().apply(&[1.0]).unwrap_err().is_shape());
    assert!(operators.ntk().apply(&[f64::NAN; N * C]).unwrap_err().is_value());
    assert!(operators.hessian(Loss::CrossEntropy(&[0; N - 1])).err().unwrap().is_shape());
    assert!(operators.hessian(Loss::CrossEntropy(&[C; N])).err().unwrap().to_string().contains("class 0 is 2"));
    assert!(operators.gauss_newton(Loss::Logistic(&[0.5; N * C])).err().unwrap().is_value());
    assert!(Operators::new(&session, &x).unwrap().parameters(&["nothing"]).err().unwrap().is_name());
    let error = Operators::new(&session, &x).unwrap().memory_budget(100).err().unwrap();
    assert!(error.is_memory() && error.to_string().contains("budget"), "{error}");
}
