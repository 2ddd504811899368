use faer::Mat;
use tangent_kernels::analysis::{alignment, centred_alignment, centred_alignments};
use tangent_kernels::{Batch, Cpu, Matrix, Outputs, Session};

use crate::*;

/// tr(A B) / (|A| |B|) of A = H K H and B = H L H, by products with H.
fn explicit(k: &Matrix<f64>, l: &Matrix<f64>) -> f64 {
    let n = k.rows();
    let h = Mat::from_fn(n, n, |i, j| f64::from(i == j) - 1.0 / n as f64);
    let [a, b] = [k, l].map(|k| &h * as_mat(k) * &h);
    let trace = |x: Mat<f64>| (0..n).map(|i| x[(i, i)]).sum::<f64>();
    trace(&a * &b) / (trace(&a * &a) * trace(&b * &b)).sqrt()
}

/// The same features seen from elsewhere: X Q with Q = I - 2 u u^T.
fn reflected(x: &Mat<f64>) -> Mat<f64> {
    let u = random(x.ncols(), 1, 51);
    let square = u.transpose() * &u;
    x - x * &u * u.transpose() * faer::Scale(2.0 / square[(0, 0)])
}

#[test]
fn alignments_by_hand() {
    let k = matrix(2, 2, |i, j| [[1.0, 2.0], [2.0, 5.0]][i][j]);
    let l = matrix(2, 2, |i, j| [[3.0, -1.0], [-1.0, 0.0]][i][j]);
    assert_near(&[alignment(&k, &l).unwrap()], &[-1.0 / (34.0f64 * 11.0).sqrt()], 1e-15);
    // Three samples, features 1, 0, -1 and 1, -2, 1: centred already, and orthogonal. Then features 3, 0, 0.
    let of = |x: [f64; 3]| matrix(3, 3, |i, j| x[i] * x[j]);
    assert_eq!(centred_alignment(&of([1.0, 0.0, -1.0]), &of([1.0, -2.0, 1.0])).unwrap(), 0.0);
    // (3, 0, 0) less its mean is (2, -1, -1): the cosine with (1, 0, -1) is 3 / sqrt(12), and squared 3/4.
    let got = centred_alignment(&of([1.0, 0.0, -1.0]), &of([3.0, 0.0, 0.0])).unwrap();
    assert_near(&[got], &[0.75], 1e-15);
    assert_near(&[alignment(&of([1.0, 0.0, -1.0]), &of([3.0, 0.0, 0.0])).unwrap()], &[0.5], 1e-15);
}

#[test]
fn centred_alignment_is_that_of_centred_matrices() {
    for (n, one, two) in [(2, 3, 3), (9, 4, 20), (150, 12, 3)] {
        let (k, l) = (gram(&random(n, one, 52)), gram(&random(n, two, 53)));
        let got = centred_alignment(&k, &l).unwrap();
        assert_near(&[got], &[explicit(&k, &l)], 1e-13);
        assert_eq!(got, centred_alignment(&l, &k).unwrap());
        assert_near(&[centred_alignment(&single(&k), &l).unwrap()], &[got], 1e-6);
    }
}

#[test]
fn what_alignment_does_not_see() {
    let x = random(40, 7, 54);
    let (k, l) = (gram(&x), gram(&random(40, 5, 55)));
    let (plain, centred) = (alignment(&k, &l).unwrap(), centred_alignment(&k, &l).unwrap());
    assert!((0.05..0.95).contains(&centred) && (plain - centred).abs() > 1e-3, "{plain} {centred}");
    let scaled = matrix(40, 40, |i, j| -300.0 * k[(i, j)]);
    let rotated = gram(&reflected(&x));
    for (name, other) in [("itself", &k), ("scaled", &scaled), ("rotated", &rotated)] {
        let sign = if name == "scaled" { -1.0 } else { 1.0 };
        assert_near(&[alignment(&k, other).unwrap(), centred_alignment(&k, other).unwrap()], &[sign; 2], 1e-13);
        assert_near(&[alignment(other, &l).unwrap()], &[sign * plain], 1e-13);
        assert_near(&[centred_alignment(other, &l).unwrap()], &[sign * centred], 1e-13);
    }
    // A constant moves the plain one to that of the constant, and the centred one only by the digits that the sum lost.
    for constant in [1.0, 1e6] {
        let moved = matrix(40, 40, |i, j| k[(i, j)] + constant);
        assert!((centred_alignment(&moved, &l).unwrap() - centred).abs() < 1e-15 * constant.max(100.0));
        assert!((alignment(&moved, &l).unwrap() - plain).abs() > 1e-3);
    }
    // Features that move together, their means with them.
    let moved = Mat::from_fn(40, 7, |i, j| x[(i, j)] + 5.0 * j as f64);
    assert_near(&[centred_alignment(&gram(&moved), &l).unwrap()], &[centred], 1e-11);
}

#[test]
fn a_kernel_that_is_zero_aligns_with_nothing() {
    let (zero, constant) = (matrix(30, 30, |_, _| 0.0), matrix(30, 30, |_, _| 0.1));
    let k = gram(&random(30, 7, 56));
    for other in [&k, &zero, &constant] {
        assert_eq!(alignment(&zero, other).unwrap(), 0.0);
        for none in [&zero, &constant] {
            assert_eq!(centred_alignment(none, other).unwrap(), 0.0);
            assert_eq!(centred_alignment(other, &single(none)).unwrap(), 0.0);
        }
    }
    assert_near(&[alignment(&constant, &constant).unwrap()], &[1.0], 1e-14);
    assert_eq!(centred_alignment(&diagonal(&[3.0]), &diagonal(&[2.0])).unwrap(), 0.0);
    assert_eq!(alignment(&diagonal(&[]), &diagonal(&[])).unwrap(), 0.0);
}

#[test]
fn a_table_of_all_components() {
    let model = mlp(&[3, 6, 5, 2]);
    let session = Session::new(&model, Cpu::<f64>::new()).unwrap();
    let x = numbers(8 * 3, 57);
    let x = Batch::new(&x, &[8, 3]).unwrap();
    let kernel = session.ntk().outputs(Outputs::TraceSum).compute(&x).unwrap();
    let table = centred_alignments(&kernel).unwrap();
    let mut names: Vec<&str> = model.parameters().iter().map(|info| info.name.as_str()).collect();
    names.push("total");
    assert_eq!(table.names, names);
    let matrices: Vec<&Matrix<f64>> =
        kernel.components().iter().map(|(_, matrix)| matrix).chain([kernel.total()]).collect();
    for (i, k) in matrices.iter().enumerate() {
        for (j, l) in matrices.iter().enumerate() {
            // The component of the output's bias is all ones: centred, it is zero.
            let want = if [i, j].contains(&5) { 0.0 } else { explicit(k, l) };
            assert!((table.values[(i, j)] - want).abs() < 1e-12, "{} and {}", names[i], names[j]);
            assert_eq!(table.values[(i, j)], table.values[(j, i)]);
        }
    }
    let text = table.to_string();
    assert!(text.lines().count() == 8 && text.lines().last().unwrap().starts_with("total") && text.contains("1.000"));
    let blocks = session.ntk().outputs(Outputs::PerOutput).compute(&x).unwrap();
    assert!(centred_alignments(&blocks).unwrap_err().is_shape());
}

#[test]
fn what_has_no_angle_is_refused() {
    let k = gram(&random(4, 4, 58));
    let asymmetric = matrix(4, 4, |i, j| (i * 4 + j) as f64);
    let nan = matrix(4, 4, |i, j| if i + j == 3 { f64::NAN } else { 1.0 });
    for compare in [alignment::<f64, f64>, centred_alignment::<f64, f64>] {
        assert!(compare(&k, &gram(&random(5, 4, 58))).unwrap_err().to_string().contains("4 and 5 rows"));
        assert!(compare(&k, &matrix(4, 5, |_, _| 1.0)).unwrap_err().is_shape());
        assert!(compare(&asymmetric, &k).unwrap_err().to_string().contains("not symmetric"));
        assert!(compare(&k, &nan).unwrap_err().to_string().contains("NaN at row 0, column 3"));
    }
}
