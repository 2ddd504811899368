//! The same entries in another shape.

use super::{Case, Op, OpContext, expect_arity};
use crate::attributes::Attributes;
use crate::backend::Arrays;
use crate::error::{Error, Result};
use crate::shape::checked_numel;

/// The entries of each sample in another shape, row-major. The sample axis is never changed.
#[derive(Clone, Debug, PartialEq)]
pub struct Reshape {
    sizes: Vec<Option<usize>>,
}

impl Reshape {
    /// Reshapes to `shape` for one sample.
    pub fn new(shape: impl Into<Vec<usize>>) -> Self {
        Reshape { sizes: shape.into().into_iter().map(Some).collect() }
    }

    /// As [`new`](Reshape::new), but one size may be -1 and is inferred.
    ///
    /// # Errors
    /// A size below -1, or -1 twice.
    pub fn inferred(sizes: &[i64]) -> Result<Self> {
        if sizes.iter().any(|&size| size < -1) || sizes.iter().filter(|&&size| size == -1).count() > 1 {
            return Err(Error::shape(format!("reshape: {sizes:?} is not a shape; at most one size may be -1")));
        }
        Ok(Reshape { sizes: sizes.iter().map(|&size| usize::try_from(size).ok()).collect() })
    }

    /// The shape of the result for this input, if it fits.
    fn target(&self, input: &[usize]) -> Option<Vec<usize>> {
        let known: Vec<usize> = self.sizes.iter().flatten().copied().collect();
        let entries = checked_numel(input)?;
        let known = checked_numel(&known)?;
        let rest = entries.checked_div(known).unwrap_or(0);
        let shape: Vec<usize> = self.sizes.iter().map(|size| size.unwrap_or(rest)).collect();
        (checked_numel(&shape)? == entries).then_some(shape)
    }
}

impl Op for Reshape {
    fn name(&self) -> &'static str {
        "reshape"
    }

    fn parse(name: &str, attributes: &Attributes) -> Option<Result<Self>> {
        let read = || Reshape::inferred(&attributes.integers("shape").map_err(|e| e.context(name))?);
        (name == "reshape").then(read)
    }

    fn shape(&self, inputs: &[&[usize]], parameters: &[&[usize]]) -> Result<Vec<usize>> {
        expect_arity(self, inputs, parameters, 1, 0..=0)?;
        self.target(inputs[0]).ok_or_else(|| {
            let sizes: Vec<String> = self.sizes.iter().map(|s| s.map_or("-1".into(), |s| s.to_string())).collect();
            Error::shape(format!("reshape: an input of shape {:?} does not fit [{}]", inputs[0], sizes.join(", ")))
        })
    }

    fn forward<B: Arrays>(&self, ctx: &OpContext<'_, B>) -> B::Tensor {
        let input = ctx.input_shape(0);
        let mut shape = vec![input[0]];
        shape.extend(self.target(&input[1..]).expect("the shape rule accepted the input"));
        ctx.arrays.reshape(ctx.inputs[0], &shape)
    }

    fn pull<B: Arrays>(&self, ctx: &OpContext<'_, B>, _y: &B::Tensor, dy: &B::Tensor, _input: usize) -> B::Tensor {
        ctx.arrays.reshape(dy, ctx.input_shape(0))
    }

    fn moves_entries(&self) -> Option<f64> {
        Some(1.0)
    }

    fn cases() -> Vec<Case<Self>> {
        let inferred = Reshape { sizes: vec![Some(2), None] };
        vec![Case::new(Reshape::new([4, 3]), &[&[2, 6]], &[]), Case::new(inferred, &[&[3, 4]], &[])]
    }
}
