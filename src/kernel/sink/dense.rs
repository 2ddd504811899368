//! The sink of K in memory, as dense matrices.

use super::canvas::{Canvas, Storage};
use super::{Frame, RegionData, Requirements, Sink};
use crate::error::{Error, Result};
use crate::kernel::{Kernel, Manifest, Matrix};
use crate::real::Real;

/// The total and the components, dense. Layerwise methods fill it several times: the totals are added, and the
/// components are collected.
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
    /// Converts the entries to a kernel.
    ///
    /// # Errors
    /// Returns an error if the sink was never filled.
    pub fn into_kernel(self, manifest: Manifest) -> Result<Kernel<R>> {
        let total = self.total.ok_or_else(|| Error::value("the sink is empty: no kernel was computed into it"))?;
        Ok(Kernel { total, components: self.components, manifest: Some(manifest) })
    }
}

impl<R: Real> Sink<R> for Dense<R> {
    fn requirements(&self) -> Requirements {
        Requirements::dense::<R>()
    }

    fn begin(&mut self, frame: &Frame) -> Result<()> {
        self.canvas = Some(Canvas::new(frame, Storage::Full)?);
        Ok(())
    }

    fn put(&self, data: &RegionData<'_, R>) -> Result<()> {
        let canvas =
            self.canvas.as_ref().ok_or_else(|| Error::value("put: a region came before `begin` was called"))?;
        canvas.write(data.index, data.entries)
    }

    fn end(&mut self, frame: &Frame) -> Result<()> {
        let Some(canvas) = self.canvas.take() else { return Ok(()) };
        let mut matrices = canvas.into_matrices().into_iter().zip(&frame.matrices);
        let matrix = |data| Matrix::from_vec(frame.blocks, frame.rows, frame.cols, data);
        if let Some((data, _)) = matrices.next() {
            let pass_total = matrix(data)?;
            match &mut self.total {
                Some(total) => total.add(&pass_total),
                None => self.total = Some(pass_total),
            }
        }
        for (data, name) in matrices {
            self.components.push((name.clone(), matrix(data)?));
        }
        Ok(())
    }
}
