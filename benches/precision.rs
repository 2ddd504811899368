//! How far kernels in f32 are from those in f64, and how far below zero their smallest eigenvalue falls.
//!
//! The paper's MLP and MLP-h, the same weights and samples in both precisions. For each it prints the relative error in
//! the Frobenius norm, the largest error of an entry relative to the largest entry, and whether K is symmetric to the bit.
//! The smallest eigenvalue of K, computed in f64, is printed in units of eps tr K with the eps of the kernel's precision.

use faer::{Mat, Side};
use tangent_kernels::{Batch, Cpu, Matrix, Model, Real, Session};
use tangent_kernels_benches::machine;
use tangent_kernels_benches::mlp::mlp;

const SAMPLES: usize = 2000;

fn kernel<R: Real>(model: &Model, numbers: &[f64]) -> Matrix<R> {
    let session = Session::new(model, Cpu::<R>::new()).unwrap();
    let x: Vec<R> = numbers.iter().map(|&x| R::from_f64(x)).collect();
    let x = Batch::new(&x, &[SAMPLES, model.input_shape()[0]]).unwrap();
    session.ntk().components(false).compute(&x).unwrap().total().clone()
}

fn smallest_eigenvalue<R: Real>(k: &Matrix<R>) -> f64 {
    let n = k.rows();
    let k = Mat::from_fn(n, n, |i, j| k.as_slice()[i * n + j].f64());
    k.self_adjoint_eigenvalues(Side::Upper).expect("eigenvalues of a finite matrix")[0]
}

fn row<R: Real>(name: &str, k: &Matrix<R>, reference: &Matrix<f64>) {
    let pairs = || k.as_slice().iter().zip(reference.as_slice()).map(|(x, y)| (x.f64(), *y));
    let largest = |numbers: &mut dyn Iterator<Item = f64>| numbers.fold(0.0, f64::max);
    let error = pairs().map(|(x, y)| (x - y).powi(2)).sum::<f64>().sqrt() / reference.frobenius_norm();
    let entry = largest(&mut pairs().map(|(x, y)| (x - y).abs())) / largest(&mut pairs().map(|(_, y)| y.abs()));
    let n = k.rows();
    let symmetric = (0..n).all(|i| (0..i).all(|j| k.as_slice()[i * n + j] == k.as_slice()[j * n + i]));
    let smallest = smallest_eigenvalue(k);
    println!(
        "{name:<6} {:<9}  {error:>8.1e}  {entry:>8.1e}  {:>9}  {smallest:>14.3e}  {:>10.2e}",
        R::NAME,
        if symmetric { "yes" } else { "no" },
        smallest / (R::EPSILON.f64() * k.trace())
    );
}

fn main() {
    println!("N = {SAMPLES}, against f64\n");
    println!("model  precision  |K - K64|  an entry  symmetric  smallest eig.  / (eps tr K)");
    for (name, layers, width) in [("MLP", 4, 100), ("MLP-h", 8, 1000)] {
        let model = mlp(layers, width, 1).unwrap();
        let numbers: Vec<f64> = machine::numbers::<f64>(SAMPLES * width).iter().map(|x| x * 3f64.sqrt()).collect();
        let reference = kernel::<f64>(&model, &numbers);
        row(name, &kernel::<f32>(&model, &numbers), &reference);
        row(name, &reference, &reference);
    }
}
