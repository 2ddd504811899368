//! A bar on a terminal, nothing in a pipe.

use std::ops::ControlFlow;

use indicatif::{ProgressBar, ProgressStyle};
use tangent_kernels::Progress;

/// Shows how far a kernel is.
pub struct Bar(ProgressBar);

impl Bar {
    /// A bar on standard error; hidden where that is no terminal.
    pub fn new(what: &str) -> Self {
        let style = ProgressStyle::with_template("{msg} {wide_bar} {pos}/{len} {eta}").expect("the template is right");
        Bar(ProgressBar::new(1).with_message(what.to_string()).with_style(style))
    }

    pub fn show(&self, progress: Progress) -> ControlFlow<()> {
        self.at(progress.done, progress.total);
        ControlFlow::Continue(())
    }

    pub fn at(&self, done: usize, total: usize) {
        self.0.set_length(total as u64);
        self.0.set_position(done as u64);
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}
