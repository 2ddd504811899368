//! What becomes of C outputs.

use crate::backend::Arrays;
use crate::error::{Error, Result};
use crate::ops::Op;
use crate::tape::Tape;

/// Which kernel is asked of a network with C outputs. For C = 1 all are the same.
///
/// K\[n,c; m,c'\] is the full kernel, grad f_c(x_n) . grad f_c'(x_m); outputs of higher rank are counted row-major.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Outputs {
    /// The whole of it, (N C) x (M C), row n C + c.
    #[default]
    Full,
    /// sum over c of K\[n,c; m,c\], N x M.
    TraceSum,
    /// sum over c of K\[n,c; m,c\], divided by C, N x M: what neural-tangents calls the NTK by default.
    TraceMean,
    /// K\[n,c; m,c\] for every c: C matrices N x M.
    PerOutput,
    /// K\[n,c; m,c\] for one c, N x M.
    Output(usize),
    /// The kernel of the sum of the outputs, sum over c, c' of K\[n,c; m,c'\], N x M: the pNTK, up to a factor.
    SumOfOutputs,
}

/// The cotangents that an [`Outputs`] needs, and where their right sides stand in K.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Layout {
    pub seeds: Seeds,
    /// The number of independent matrices.
    pub blocks: usize,
    /// The number of rows of K for one sample.
    pub outputs_per_sample: usize,
    /// How the right sides of the seeds are packed.
    pub packing: Packing,
    /// What K\[n; m\] is worth where the right sides are unit vectors.
    pub one_hot_weight: f64,
    /// What every entry of K is multiplied by.
    pub scale: f64,
}

/// The cotangents of the output, one sweep each.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Seeds {
    /// 1 at output c, for every c of the list.
    Units(Vec<usize>),
    /// 1 at every output.
    Ones,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Packing {
    /// \[1, n, C, t, o\]
    Rows,
    /// \[C, n, 1, t, o\]
    Blocks,
    /// \[1, n, 1, t, C o\]: a sum over outputs is a sum over features.
    Features,
}

impl Seeds {
    /// The cotangents, of the shape of the tape's output.
    pub fn on<B: Arrays, O: Op>(&self, tape: &Tape<'_, B, O>) -> Vec<B::Tensor> {
        match self {
            Seeds::Units(list) => list.iter().map(|&c| tape.unit_seed(c)).collect(),
            Seeds::Ones => vec![tape.ones_seed()],
        }
    }

    pub fn len(&self) -> usize {
        match self {
            Seeds::Units(list) => list.len(),
            Seeds::Ones => 1,
        }
    }
}

impl Outputs {
    /// # Errors
    /// There is no output, or not the one asked for.
    pub(crate) fn layout(self, outputs: usize) -> Result<Layout> {
        if outputs == 0 {
            return Err(Error::shape("the model has no outputs, so there is nothing to differentiate"));
        }
        let all = || Seeds::Units((0..outputs).collect());
        let plain = Layout {
            seeds: all(),
            blocks: 1,
            outputs_per_sample: 1,
            packing: Packing::Features,
            one_hot_weight: outputs as f64,
            scale: 1.0,
        };
        Ok(match self {
            Outputs::Full => {
                Layout { outputs_per_sample: outputs, packing: Packing::Rows, one_hot_weight: 1.0, ..plain }
            }
            Outputs::TraceSum => plain,
            Outputs::TraceMean => Layout { scale: 1.0 / outputs as f64, ..plain },
            Outputs::PerOutput => Layout { blocks: outputs, packing: Packing::Blocks, one_hot_weight: 1.0, ..plain },
            Outputs::Output(c) if c < outputs => Layout { seeds: Seeds::Units(vec![c]), one_hot_weight: 1.0, ..plain },
            Outputs::Output(c) => {
                return Err(Error::value(format!("output {c} was asked for, but the model has {outputs} outputs")));
            }
            Outputs::SumOfOutputs => Layout { seeds: Seeds::Ones, ..plain },
        })
    }
}
