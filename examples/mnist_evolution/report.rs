//! One HTML page with all results and pictures.

use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use tangent_kernels::{Error, Result};

use crate::experiment::{Outcome, RATE};
use crate::film::FIGURES;
use crate::options::Options;
use crate::table::{grouped, significant};
use crate::table5::{Line, cells};

const STYLE: &str = "body{font:17px/1.5 Georgia,serif;max-width:1000px;margin:2em auto;padding:0 1em;color:#222}\
h1,h2{font-weight:normal;line-height:1.2}h2{margin-top:2em}figure{margin:1.5em 0}img{max-width:100%;height:auto}\
figcaption{color:#555;font-size:15px}table{border-collapse:collapse;margin:1em 0}\
td,th{padding:.2em .9em;text-align:right;border-bottom:1px solid #ddd}td:first-child,th:first-child{text-align:left}";

const HOW: &str = "The picture of each kernel has a row and a column for every training image, all sixes first. Bright \
blocks on the diagonal mean that two images of one digit move the network in the same direction. Dark blocks off the \
diagonal mean that images of different digits move it in opposite directions.";

/// The page.
///
/// # Errors
/// A picture cannot be read.
pub fn html(options: &Options, outcome: &Outcome, table: &[Line]) -> Result<String> {
    let (start, end) = (outcome.start().total(), outcome.end().total());
    let (images, steps) = (grouped(2 * options.samples), grouped(options.steps));
    let mut page = format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>A network learns, and its kernel with \
         it</title><style>{STYLE}</style></head><body>\n<h1>A network learns, and its kernel with it</h1>\n"
    );
    page += &paragraph(&format!(
        "A network of four layers, 784-50-50-50-1 (tanh, no biases, NTK parameterisation), learns to separate {images} \
         handwritten sixes and nines of MNIST, by {steps} steps of gradient descent on the full batch (binary \
         cross-entropy, learning rate {RATE}). Its <i>neural tangent kernel</i> K(x, x') is the scalar product of the gradients of \
         the output at two images with respect to all weights: how much a step that teaches the network x' moves its answer \
         for x. It is the sum of one component for each layer. If the network were infinitely wide, K would not change; \
         here it does. This page repeats the experiment of section 5.2 and appendix B of <i>TorchNTK</i> (Engel, Wang, Sarwate, \
         Choudhury and Chiang, 2022)."
    ));
    page += &paragraph(&format!(
        "In the end K has moved by {} times its own size at the start (the Frobenius norm of the difference), its trace has \
         grown by a factor of {}, and its alignment with the labels went from {:.3} to {:.3}.",
        significant(end.drift),
        significant(end.trace / start.trace),
        start.alignment.unwrap_or(0.0),
        end.alignment.unwrap_or(0.0)
    ));

    page += "<h2>How well each layer's kernel separates the digits</h2>\n";
    page += &paragraph(&format!(
        "The paper's classifier gives a test image x the sign of the sum over all training images of Y K(x, X), where Y is -1 for a \
         six and 1 for a nine. Nothing is fitted. {} <i>At least</i> is what a run with all 10,000 images should reach.",
        if options.seeds > 1 {
            format!("Mean and standard deviation over {} trainings from different weights.", options.seeds)
        } else {
            "One training.".into()
        }
    ));
    page += &html_table(&cells(table));
    page += &paragraph(
        "How images were normalised is not stated in the paper, and the figures at the start depend on it. Here all pixels were \
         standardised by the mean and the deviation of all pixels of the 10,000 training images, and divided by the root of their \
         number, 28, so that an input has a length near 1.",
    );

    page += "<h2>The film</h2>\n";
    page += &figure(
        &options.out,
        "evolution.gif",
        "The kernel of all layers along training, on one colour scale; evolution.png is the same in all colours.",
    )?;

    page += "<h2>Before and after</h2>\n";
    page += &paragraph(HOW);
    for (number, (file, _, what)) in FIGURES.iter().enumerate() {
        let caption =
            format!("Figure {}. {what}, at the start and at the end of training, on one colour scale.", number + 1);
        if options.out.join(file).exists() {
            page += &figure(&options.out, file, &caption)?;
        }
    }

    page += "<h2>In numbers</h2>\n";
    for (file, caption) in crate::plots::FILES {
        page += &figure(&options.out, file, caption)?;
    }
    page += &paragraph("All numbers, for every layer at every kernel: trajectory.csv.");
    Ok(page + "</body></html>\n")
}

fn paragraph(text: &str) -> String {
    format!("<p>{text}</p>\n")
}

fn html_table(cells: &[Vec<String>]) -> String {
    let row = |tag: &str, row: &Vec<String>| {
        let cells: String = row.iter().map(|cell| format!("<{tag}>{cell}</{tag}>")).collect();
        format!("<tr>{cells}</tr>\n")
    };
    let body: String = cells[1..].iter().map(|cells| row("td", cells)).collect();
    format!("<table>\n{}{body}</table>\n", row("th", &cells[0]))
}

fn figure(folder: &Path, file: &str, caption: &str) -> Result<String> {
    let path = folder.join(file);
    let bytes = std::fs::read(&path).map_err(|e| Error::io(format!("cannot read {}: {e}", path.display())))?;
    let (data, kind) = (STANDARD.encode(bytes), path.extension().and_then(|kind| kind.to_str()).unwrap_or("png"));
    Ok(format!(
        "<figure><img alt=\"{caption}\" src=\"data:image/{kind};base64,{data}\"><figcaption>{caption}</figcaption></figure>\n"
    ))
}
