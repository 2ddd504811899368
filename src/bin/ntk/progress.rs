//! A progress bar on a terminal. Nothing is printed to a pipe.

use std::ops::ControlFlow;

use indicatif::{ProgressBar, ProgressStyle};
use tangent_kernels::Progress;

/// Shows the progress of a computation.
pub struct Bar(ProgressBar);

impl Bar {
    /// A bar on standard error. It is hidden if standard error is not a terminal.
    pub fn new(label: &str) -> Self {
        let style = ProgressStyle::with_template("{msg} {wide_bar} {pos}/{len} {eta}").expect("a valid template");
        Bar(ProgressBar::new(1).with_message(label.to_string()).with_style(style))
    }

    pub fn show(&self, progress: Progress) -> ControlFlow<()> {
        self.set(progress.done, progress.total);
        ControlFlow::Continue(())
    }

    pub fn set(&self, done: usize, total: usize) {
        self.0.set_length(total as u64);
        self.0.set_position(done as u64);
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}
