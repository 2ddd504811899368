//! The output: the table, the heat maps, the kernel with its manifest, and the weights.

use std::path::Path;

use tangent_kernels::analysis::effective_rank;
use tangent_kernels::analysis::operator::Dense;
use tangent_kernels::analysis::solve::{EigenOptions, largest};
use tangent_kernels::io::png::HeatMap;
use tangent_kernels::io::{npy, safetensors};
use tangent_kernels::{Error, Kernel, Matrix, Model, Real, Result};

/// One line of the table.
pub struct Row {
    layer: String,
    parameters: usize,
    trace: f64,
    norm: f64,
    largest: f64,
    effective_rank: f64,
    /// The accuracy of a classifier on the held-out digits.
    accuracy: f64,
}

/// A row for each layer and one for the total. The components of both kernels are layers; `cross` is the kernel of the
/// held-out digits and the training digits, and `classify` computes the accuracy from one layer of both.
pub fn rows<R: Real>(
    model: &Model,
    kernel: &Kernel<R>,
    cross: &Kernel<R>,
    classify: impl Fn(&Matrix<R>, &Matrix<R>) -> Result<f64>,
) -> Result<Vec<Row>> {
    let of_layer = |layer: &str| {
        let own = model.parameters().iter().filter(|info| info.layer() == layer);
        own.map(|info| info.shape.iter().product::<usize>()).sum()
    };
    let mut rows = kernel
        .components()
        .iter()
        .zip(cross.components())
        .map(|((name, own), (_, cross))| row(name, of_layer(name), own, classify(own, cross)?))
        .collect::<Result<Vec<_>>>()?;
    let accuracy = classify(kernel.total(), cross.total())?;
    rows.push(row("total", model.parameter_count(), kernel.total(), accuracy)?);
    Ok(rows)
}

/// The row of one layer, or of the total.
fn row<R: Real>(layer: &str, parameters: usize, kernel: &Matrix<R>, accuracy: f64) -> Result<Row> {
    Ok(Row {
        layer: layer.to_string(),
        parameters,
        trace: kernel.trace(),
        norm: kernel.frobenius_norm(),
        largest: largest(&Dense::new(kernel)?, 1, &EigenOptions::default())?.values[0],
        effective_rank: effective_rank(kernel),
        accuracy,
    })
}

/// `classifier` says whose accuracy it is.
pub fn table(rows: &[Row], classifier: &str) -> String {
    let width = rows.iter().map(|row| row.layer.len()).max().unwrap_or(0).max(6);
    let mut text = format!(
        "{:<width$}{:>12}{:>14}{:>14}{:>14}{:>10}{:>16}\n",
        "layer", "parameters", "trace", "|K|_F", "lambda_max", "eff. rank", "test accuracy"
    );
    for row in rows {
        let Row { layer, parameters, trace, norm, largest, effective_rank, accuracy } = row;
        text += &format!(
            "{layer:<width$}{parameters:>12}{trace:>14.5e}{norm:>14.5e}{largest:>14.5e}{effective_rank:>10.2}{:>14.2} %\n",
            100.0 * accuracy
        );
    }
    text + &format!("\neff. rank: (tr K)^2 / |K|_F^2; test accuracy: of {classifier} on the held-out digits")
}

/// The captions of the heat maps.
pub struct Picture<'a> {
    pub network: &'a str,
    /// The name of the entries.
    pub label: &'a str,
    /// Samples of each class.
    pub per_class: usize,
    /// C, for full kernels, whose row n C + c is of output c of sample n; 1 for those with one row for each sample.
    pub outputs: usize,
}

/// `kernel.npy` with `manifest.json`, which says how it was computed, `weights.safetensors`, and a heat map of the total
/// and of each layer.
pub fn write<R: Real>(out: &Path, model: &Model, kernel: &Kernel<R>, picture: &Picture<'_>) -> Result<()> {
    let total = kernel.total();
    npy::write(out.join("kernel.npy"), &total.shape()[1..], total.as_slice())?;
    if let Some(manifest) = kernel.manifest() {
        let path = out.join("manifest.json");
        let text = manifest.to_json();
        std::fs::write(&path, text).map_err(|error| Error::io(format!("{}: {error}", path.display())))?;
    }
    safetensors::save::<f64, _>(out.join("weights.safetensors"), model)?;
    heat_map(&out.join("total.png"), "total", total, picture)?;
    for (layer, matrix) in kernel.components() {
        heat_map(&out.join(format!("{layer}.png")), layer, matrix, picture)?;
    }
    println!(
        "\nwritten to {}: kernel.npy, manifest.json, weights.safetensors, total.png and a heat map of each layer",
        out.display()
    );
    Ok(())
}

/// The colours span the middle 99.8 % of the off-diagonal entries, so that a few bright pairs do not darken the others.
fn heat_map<R: Real>(path: &Path, part: &str, matrix: &Matrix<R>, picture: &Picture<'_>) -> Result<()> {
    let Picture { network, label, per_class, outputs } = *picture;
    let names: Vec<[String; 2]> = match outputs {
        1 => vec![["6".into(), "9".into()]],
        _ => (0..outputs).map(|c| [format!("6, f{c}"), format!("9, f{c}")]).collect(),
    };
    let classes: Vec<(&str, usize)> = names.iter().flatten().map(|name| (name.as_str(), per_class)).collect();
    let entries = by_output(matrix, outputs);
    let map = HeatMap::new(matrix.rows(), matrix.cols(), &entries)
        .title(format!("NTK of MNIST's 6 and 9, {network}: {part}"))
        .label(format!("{label}, clipped at 0.1 % and 99.9 %"))
        .classes(&classes)
        .borders(outputs > 1);
    match middle(matrix) {
        Some((low, high)) => map.range(low, high).save(path),
        None => map.save(path),
    }
}

/// The entries with all samples of output 0 before all of output 1: row c N + n in place of n C + c.
fn by_output<R: Real>(matrix: &Matrix<R>, outputs: usize) -> Vec<R> {
    let samples = matrix.rows() / outputs;
    let order: Vec<usize> = (0..outputs).flat_map(|c| (0..samples).map(move |n| n * outputs + c)).collect();
    order.iter().flat_map(|&row| order.iter().map(move |&col| matrix[(row, col)])).collect()
}

/// The 0.1 % and the 99.9 % quantile of the entries above the diagonal, of about a million of them if there are more;
/// `None` if they are equal.
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
