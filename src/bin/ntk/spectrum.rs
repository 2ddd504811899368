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
    let name = options.kernel.display().to_string();
    let in_file = |error: Error| error.context(&name);
    let &[rows, columns] = &shape[..] else {
        return Err(in_file(Error::shape(format!("a spectrum needs a square matrix, but the shape is {shape:?}"))));
    };
    let kernel = Matrix::from_vec(1, rows, columns, data)?;
    let mut spectrum = eigenvalues(&kernel).map_err(in_file)?;
    spectrum.sort_by(|a, b| b.total_cmp(a));
    let trace = kernel.trace();
    let rank = effective_rank(&kernel);
    let largest = spectrum.first().copied().unwrap_or(0.0);
    let smallest = spectrum.last().copied().unwrap_or(0.0);
    let condition = (smallest > 0.0).then(|| largest / smallest);
    if let Some(path) = &options.plot {
        let points: Vec<(f64, f64)> = spectrum.iter().enumerate().map(|(k, &value)| ((k + 1) as f64, value)).collect();
        let plot = Plot::new().title(&name).axes("number", "eigenvalue");
        plot.log_x(true).log_y(true).line("eigenvalues", &points).save(path)?;
    }
    let condition_text = match condition {
        Some(condition) => format!("{condition:.4e}"),
        None => "infinite: the kernel is singular to rounding".to_string(),
    };
    let mut text = format!(
        "{name}: {rows} x {columns}\n\n\
         trace           {trace:.6e}\n\
         effective rank  {rank:.4}\n\
         largest         {largest:.6e}\n\
         smallest        {smallest:.6e}\n\
         condition       {condition_text}\n\n  \
         number    eigenvalue    of the trace\n"
    );
    let mut sum = 0.0;
    for (k, value) in spectrum.iter().take(options.top).enumerate() {
        sum += value;
        text += &format!("{:>8}  {value:.6e}  {:>10.4} %\n", k + 1, 100.0 * sum / trace);
    }
    let json = json!({
        "kernel": name,
        "rows": rows,
        "trace": trace,
        "effective_rank": rank,
        "condition": condition,
        "eigenvalues": spectrum,
    });
    Ok(Answer { text, json, good: true })
}
