//! `ntk spectrum`

use serde_json::json;
use tangent_kernels::analysis::{effective_rank, eigenvalues};
use tangent_kernels::io::npy;
use tangent_kernels::io::png::Plot;
use tangent_kernels::{Error, Matrix, Result};

use crate::Answer;
use crate::arguments::Spectrum;

pub fn run(options: &Spectrum) -> Result<Answer> {
    let (shape, data) = npy::read_numbers::<f64>(&options.kernel)?;
    let here = |error: Error| error.context(options.kernel.display());
    let &[rows, columns] = &shape[..] else {
        return Err(here(Error::shape(format!("an array of shape {shape:?} is not one kernel"))));
    };
    let kernel = Matrix::from_vec(1, rows, columns, data)?;
    let mut list = eigenvalues(&kernel).map_err(here)?;
    list.sort_by(|a, b| b.total_cmp(a));
    let (trace, rank) = (kernel.trace(), effective_rank(&kernel));
    let (largest, smallest) = (list.first().copied().unwrap_or(0.0), list.last().copied().unwrap_or(0.0));
    let condition = (smallest > 0.0).then(|| largest / smallest);
    if let Some(path) = &options.plot {
        let points: Vec<(f64, f64)> = list.iter().enumerate().map(|(k, &value)| ((k + 1) as f64, value)).collect();
        let plot = Plot::new().title(format!("{}", options.kernel.display())).axes("number", "eigenvalue");
        plot.log_x(true).log_y(true).line("eigenvalues", &points).save(path)?;
    }
    let mut text = format!("{}: {rows} x {columns}\n\n", options.kernel.display());
    text += &format!("trace           {trace:.6e}\neffective rank  {rank:.4}\nlargest         {largest:.6e}\n");
    text += &format!("smallest        {smallest:.6e}\n");
    text += &match condition {
        Some(condition) => format!("condition       {condition:.4e}\n"),
        None => "condition       singular, as far as these numbers tell\n".to_string(),
    };
    text += "\n  number    eigenvalue    of the trace\n";
    let mut sum = 0.0;
    for (k, value) in list.iter().take(options.top).enumerate() {
        sum += value;
        text += &format!("{:>8}  {value:.6e}  {:>10.4} %\n", k + 1, 100.0 * sum / trace);
    }
    let json = json!({
        "kernel": options.kernel.display().to_string(),
        "rows": rows,
        "trace": trace,
        "effective_rank": rank,
        "condition": condition,
        "eigenvalues": list,
    });
    Ok(Answer { text, json, good: true })
}
