//! Spectra of all layers.

use std::path::Path;

use tangent_kernels::analysis::eigenvalues;
use tangent_kernels::io::png::Plot;
use tangent_kernels::{Batch, Cpu, Model, Result, Session};

use crate::table;

/// The eigenvalues of the Fisher matrices of all layers and of all parameters, without the zeros of the parameters beyond the
/// number of samples.
pub struct Spectra(Vec<Spectrum>);

struct Spectrum {
    name: String,
    parameters: usize,
    /// In descending order.
    values: Vec<f64>,
}

impl Spectra {
    /// From the kernel's components: K/N and F share their eigenvalues other than zero.
    pub fn compute(model: &Model, x: &Batch<'_, f64>) -> Result<Self> {
        let kernel = Session::new(model, Cpu::<f64>::new())?.ntk().compute(x)?;
        let size = |name: &str| {
            let own = model.parameters().iter().filter(|info| info.name == name);
            own.map(|info| info.shape.iter().product::<usize>()).sum()
        };
        let parts = kernel.components().iter().map(|(name, matrix)| (name.as_str(), size(name), matrix));
        let spectrum = |(name, parameters, matrix): (&str, usize, _)| {
            let values = eigenvalues(matrix)?.into_iter().map(|value| value / x.samples() as f64).collect();
            Ok(Spectrum { name: name.trim_end_matches(".weight").to_string(), parameters, values })
        };
        parts
            .chain([("total", model.parameter_count(), kernel.total())])
            .map(spectrum)
            .collect::<Result<_>>()
            .map(Spectra)
    }

    /// The largest of all.
    pub fn largest(&self) -> f64 {
        self.0.iter().map(|own| own.values[0]).fold(0.0, f64::max)
    }

    /// A line per layer. The mean is over all P eigenvalues, zeros too.
    pub fn print(&self, when: &str) {
        let head = ["layer", "parameters", "largest", "mean", "largest / mean", "half of the trace in"];
        let mut rows = vec![head.map(String::from).to_vec()];
        for Spectrum { name, parameters, values } in &self.0 {
            let trace: f64 = values.iter().sum();
            let mean = trace / *parameters as f64;
            let mut sum = 0.0;
            let half = values.iter().take_while(|&&value| {
                let below = sum < trace / 2.0;
                sum += value;
                below
            });
            rows.push(vec![
                name.clone(),
                table::grouped(parameters),
                format!("{:.4e}", values[0]),
                format!("{mean:.4e}"),
                format!("{:.0}", values[0] / mean),
                format!("{} of {}", half.count(), values.len()),
            ]);
        }
        println!("\n{when}, eigenvalues of F:\n{}", table::table(&rows, &[true]).trim_end());
    }

    pub fn plot(&self, path: &Path, title: &str) -> Result<()> {
        let mut plot = Plot::new().title(title).axes("number", "eigenvalue").log_x(true).log_y(true);
        for Spectrum { name, values, .. } in &self.0 {
            // Smaller values are rounding errors.
            let floor = 1e-15 * values[0];
            let points = values.iter().enumerate().filter(|(_, value)| **value > floor);
            let points: Vec<(f64, f64)> = points.map(|(k, &value)| ((k + 1) as f64, value)).collect();
            plot = plot.line(name.as_str(), &points);
        }
        plot.save(path)
    }
}
