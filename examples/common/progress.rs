//! A kernel with a progress bar.

use std::ops::ControlFlow;
use std::time::Instant;

use indicatif::{ProgressBar, ProgressStyle};
use tangent_kernels::Gram;
use tangent_kernels::ops::Builtin;
use tangent_kernels::{Batch, Kernel, Ntk, Progress, Result};

/// K(X, X), or K(X, Z), with its components summed by layer, and a line that says how long it took.
pub fn compute<B: Gram>(
    what: &str,
    ntk: Ntk<'_, B, Builtin>,
    x: &Batch<'_, B::Number>,
    z: Option<&Batch<'_, B::Number>>,
) -> Result<Kernel<B::Number>> {
    let style = ProgressStyle::with_template("{msg} {wide_bar} {pos}/{len} {eta}").expect("the template is right");
    let bar = ProgressBar::new(1).with_message(what.to_string()).with_style(style);
    let show = |progress: Progress| {
        bar.set_length(progress.total as u64);
        bar.set_position(progress.done as u64);
        ControlFlow::Continue(())
    };
    let start = Instant::now();
    let ntk = ntk.progress(&show);
    let kernel = z.map_or_else(|| ntk.compute(x), |z| ntk.between(x, z))?;
    bar.finish_and_clear();
    let [_, rows, cols] = kernel.total().shape();
    let seconds = start.elapsed().as_secs_f64();
    let kernel = kernel.by_layer();
    println!("{what}: {rows} x {cols}, total and {} layers, {seconds:.3} s", kernel.components().len());
    Ok(kernel)
}
