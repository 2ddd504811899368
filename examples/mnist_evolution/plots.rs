//! The figures of the kernels along training.

use std::path::Path;

use tangent_kernels::Result;
use tangent_kernels::analysis::trajectory::{LayerRecord, Record};
use tangent_kernels::io::png::Plot;

/// The files, in the order of the report, and what they show.
pub const FILES: [(&str, &str); 6] = [
    ("loss.png", "The loss: the mean binary cross-entropy of the training images."),
    (
        "accuracy.png",
        "Test images that are classified rightly: by the sign classifier with each layer's kernel and with all, and by the network; dashed, training images by the network.",
    ),
    (
        "trace.png",
        "The trace of each layer's kernel, divided by the number of images: the mean squared length of a gradient.",
    ),
    (
        "alignment.png",
        "The alignment of each layer's kernel with the labels: 1 if images of one digit are all alike, and opposite to those of the other.",
    ),
    (
        "drift.png",
        "How far each layer's kernel is from what it was at the start: the Frobenius norm of the difference over that of the first.",
    ),
    ("eigenvalue.png", "The largest eigenvalue of each layer's kernel, divided by the number of images."),
];

/// Draws all of them.
pub fn save(out: &Path, records: &[Record], images: usize) -> Result<()> {
    let n = images as f64;
    let plot = |title: &str, y: &str| Plot::new().title(title).axes("step of training", y).log1p_x(true);
    let number = |k: usize| {
        let points: Vec<(f64, f64)> = records.iter().map(|record| (record.step as f64, record.values[k])).collect();
        move |scale: f64| points.iter().map(|&(x, y)| (x, scale * y)).collect::<Vec<_>>()
    };
    plot("Loss", "binary cross-entropy")
        .log_y(true)
        .line("training images", &number(0)(1.0))
        .save(out.join(FILES[0].0))?;
    let accuracy = plot("Images that are classified rightly", "%");
    let accuracy = lines(accuracy, records, |layer| 100.0 * layer.test_accuracy.unwrap_or(0.0));
    let accuracy = accuracy.line("network", &number(2)(100.0)).dashed("network, training", &number(1)(100.0));
    accuracy.save(out.join(FILES[1].0))?;
    lines(plot("Trace", "tr K / n").log_y(true), records, |layer| layer.trace / n).save(out.join(FILES[2].0))?;
    let alignment = plot("Alignment with the labels", "y K y / (|K| |y|^2)");
    lines(alignment, records, |layer| layer.alignment.unwrap_or(0.0)).save(out.join(FILES[3].0))?;
    lines(plot("Drift", "|K - K_0| / |K_0|"), records, |layer| layer.drift).save(out.join(FILES[4].0))?;
    let largest = |layer: &LayerRecord| layer.eigenvalues.first().map_or(0.0, |value| value / n);
    lines(plot("Largest eigenvalue", "lambda / n").log_y(true), records, largest).save(out.join(FILES[5].0))
}

/// A line per layer, and one for the total.
fn lines(plot: Plot, records: &[Record], number: impl Fn(&LayerRecord) -> f64) -> Plot {
    let count = records.first().map_or(0, |record| record.layers.len());
    (0..count).fold(plot, |plot, k| {
        let points: Vec<(f64, f64)> =
            records.iter().map(|record| (record.step as f64, number(&record.layers[k]))).collect();
        plot.line(crate::film::called(&records[0].layers[k].name), &points)
    })
}
