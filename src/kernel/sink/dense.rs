//! K in memory, all of it.

use super::canvas::{Canvas, Layout};
use super::{Frame, RegionData, Requirements, Sink};
use crate::error::{Error, Result};
use crate::kernel::{Kernel, Manifest, Matrix};
use crate::real::Real;

/// The total and the components, dense. It may be filled several times over, for methods that go parameter by parameter:
/// the totals are added up, and the components are those of all times.
pub(crate) struct Dense<R: Real> {
    canvas: Option<Canvas<R>>,
    total: Option<Matrix<R>>,
    components: Vec<(String, Matrix<R>)>,
}

impl<R: Real> Default for Dense<R> {
    fn default() -> Self {
        Dense { canvas: None, total: None, components: Vec::new() }
    }
}

impl<R: Real> Dense<R> {
    /// What was filled in, as a kernel.
    ///
    /// # Errors
    /// It was never filled.
    pub fn into_kernel(self, manifest: Manifest) -> Result<Kernel<R>> {
        let total = self.total.ok_or_else(|| Error::value("no kernel was computed"))?;
        Ok(Kernel { total, components: self.components, manifest: Some(manifest) })
    }
}

impl<R: Real> Sink<R> for Dense<R> {
    fn requirements(&self) -> Requirements {
        Requirements::dense::<R>()
    }

    fn begin(&mut self, frame: &Frame) -> Result<()> {
        self.canvas = Some(Canvas::new(frame, Layout::Full)?);
        Ok(())
    }

    fn put(&self, part: &RegionData<'_, R>) -> Result<()> {
        let canvas = self.canvas.as_ref().ok_or_else(|| Error::value("a unit before the beginning"))?;
        canvas.write(part.index, part.entries)
    }

    fn end(&mut self, frame: &Frame) -> Result<()> {
        let Some(canvas) = self.canvas.take() else { return Ok(()) };
        let mut list = canvas.into_matrices().into_iter().zip(&frame.matrices);
        let matrix = |data| Matrix::from_vec(frame.blocks, frame.rows, frame.cols, data);
        if let Some((data, _)) = list.next() {
            let own = matrix(data)?;
            match &mut self.total {
                Some(total) => total.add(&own),
                None => self.total = Some(own),
            }
        }
        for (data, name) in list {
            self.components.push((name.clone(), matrix(data)?));
        }
        Ok(())
    }
}
