//! What is shown and written: the table, the heat maps, the kernel and the weights.

use std::path::Path;

use tangent_kernels::analysis::{accuracy, effective_rank, largest_eigenvalue, sign_scores};
use tangent_kernels::io::png::HeatMap;
use tangent_kernels::io::{npy, safetensors};
use tangent_kernels::{Kernel, Matrix, Model, Real, Result};

use crate::options::Options;

/// One line of the table.
pub struct Row {
    layer: String,
    parameters: usize,
    trace: f64,
    norm: f64,
    largest: f64,
    effective_rank: f64,
    /// Of the sign classifier on the held-out digits.
    accuracy: f64,
}

/// A row for each layer and one for the total. The components of both kernels are layers.
pub fn rows<R: Real>(
    model: &Model,
    kernel: &Kernel<R>,
    cross: &Kernel<R>,
    train_labels: &[f64],
    test_labels: &[f64],
) -> Result<Vec<Row>> {
    let of_layer = |layer: &str| {
        let own = model.parameters().iter().filter(|info| info.name.rsplit_once('.').is_some_and(|(l, _)| l == layer));
        own.map(|info| info.shape.iter().product::<usize>()).sum()
    };
    let row = |layer: &str, parameters: usize, kernel: &Matrix<R>, cross: &Matrix<R>| {
        Ok(Row {
            layer: layer.to_string(),
            parameters,
            trace: kernel.trace(),
            norm: kernel.frobenius_norm(),
            largest: largest_eigenvalue(kernel)?,
            effective_rank: effective_rank(kernel),
            accuracy: accuracy(&sign_scores(cross, train_labels, None)?, test_labels)?,
        })
    };
    let mut rows = kernel
        .components()
        .iter()
        .zip(cross.components())
        .map(|((name, own), (_, cross))| row(name, of_layer(name), own, cross))
        .collect::<Result<Vec<_>>>()?;
    rows.push(row("total", model.parameter_count(), kernel.total(), cross.total())?);
    Ok(rows)
}

pub fn table(rows: &[Row]) -> String {
    let mut text = format!(
        "{:<6}{:>12}{:>14}{:>14}{:>14}{:>10}{:>16}\n",
        "layer", "parameters", "trace", "|K|_F", "lambda_max", "eff. rank", "test accuracy"
    );
    for row in rows {
        let Row { layer, parameters, trace, norm, largest, effective_rank, accuracy } = row;
        text += &format!(
            "{layer:<6}{parameters:>12}{trace:>14.5e}{norm:>14.5e}{largest:>14.5e}{effective_rank:>10.2}{:>14.2} %\n",
            100.0 * accuracy
        );
    }
    text += "\neff. rank: (tr K)^2 / |K|_F^2; test accuracy: of sgn(sum_k Y_k K(x, X_k)) on the held-out digits";
    text
}

/// `kernel.npy`, `weights.safetensors`, and a heat map of the total and of each layer.
pub fn write<R: Real>(options: &Options, model: &Model, kernel: &Kernel<R>) -> Result<()> {
    let out = &options.out;
    let total = kernel.total();
    npy::write(out.join("kernel.npy"), &total.shape()[1..], total.as_slice())?;
    safetensors::save::<f64, _>(out.join("weights.safetensors"), model)?;
    heat_map(&out.join("total.png"), "total", total, options.samples)?;
    for (layer, matrix) in kernel.components() {
        heat_map(&out.join(format!("{layer}.png")), layer, matrix, options.samples)?;
    }
    println!("\nwritten to {}: kernel.npy, weights.safetensors, total.png and a heat map of each layer", out.display());
    Ok(())
}

/// The colours span the middle 99.8 % of the entries beside the diagonal, so that a few bright pairs do not darken all
/// others.
fn heat_map<R: Real>(path: &Path, part: &str, matrix: &Matrix<R>, per_class: usize) -> Result<()> {
    let map = HeatMap::new(matrix.rows(), matrix.cols(), matrix.as_slice())
        .title(format!("NTK of MNIST's 6 and 9, 784-50-50-50-1 at initialisation: {part}"))
        .label("K(x, x'), clipped at 0.1 % and 99.9 %")
        .classes(&[("6", per_class), ("9", per_class)]);
    match middle(matrix) {
        Some((low, high)) => map.range(low, high).save(path),
        None => map.save(path),
    }
}

/// The 0.1 % and the 99.9 % quantile of the entries above the diagonal, of about a million of them if there are more;
/// `None` where they are equal.
fn middle<R: Real>(matrix: &Matrix<R>) -> Option<(f64, f64)> {
    let cols = matrix.cols();
    let step = (cols * cols / 2_000_000).max(1);
    let above = matrix.as_slice().chunks_exact(cols).enumerate().flat_map(|(row, entries)| &entries[row + 1..]);
    let mut entries: Vec<f64> = above.step_by(step).map(|x| x.f64()).collect();
    let rank = entries.len() / 1000;
    let last = entries.len().checked_sub(1 + rank)?;
    let low = *entries.select_nth_unstable_by(rank, f64::total_cmp).1;
    let high = *entries.select_nth_unstable_by(last, f64::total_cmp).1;
    (low < high).then_some((low, high))
}
