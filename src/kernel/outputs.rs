//! Output modes: how the C outputs of a network enter its kernel.

use crate::backend::Arrays;
use crate::error::{Error, Result};
use crate::ops::Op;
use crate::tape::Tape;

/// The kernel of a network with C outputs. For C = 1 all modes agree.
///
/// `K[n,c; m,c']` = grad f_c(x_n) . grad f_c'(x_m) is the full kernel. Outputs of higher rank are numbered row-major.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Outputs {
    /// All entries, (N C) x (M C); row n C + c.
    #[default]
    Full,
    /// sum over c of `K[n,c; m,c]`, N x M.
    TraceSum,
    /// sum over c of `K[n,c; m,c]`, divided by C, N x M: the default of neural-tangents.
    TraceMean,
    /// `K[n,c; m,c]` for every c: C matrices, N x M each.
    PerOutput,
    /// `K[n,c; m,c]` for one c, N x M.
    Output(usize),
    /// sum over c, c' of `K[n,c; m,c']`, N x M: the kernel of the sum of the outputs, which is the pNTK up to a factor.
    SumOfOutputs,
}

/// The seeds of an [`Outputs`] mode, and the place of their output gradients in K.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Layout {
    pub seeds: Seeds,
    /// The number of independent matrices.
    pub blocks: usize,
    /// The number of rows of K per sample.
    pub outputs_per_sample: usize,
    /// How the output gradients of the seeds are packed.
    pub packing: Packing,
    /// The value of `K[n; m]` if the output gradients are unit vectors.
    pub one_hot_weight: f64,
    /// The factor of all entries of K.
    pub scale: f64,
}

/// The cotangents of the output, one sweep each.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Seeds {
    /// 1 at output c, one seed for every c.
    Outputs(Vec<usize>),
    /// 1 at every output.
    Ones,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Packing {
    /// `[1, n, C, t, o]`
    Rows,
    /// `[C, n, 1, t, o]`
    Blocks,
    /// `[1, n, 1, t, C o]`: the sum over outputs becomes a sum over features.
    Features,
}

impl Seeds {
    /// The cotangents, in the shape of the tape's output.
    pub fn on<B: Arrays, O: Op>(&self, tape: &Tape<'_, B, O>) -> Vec<B::Tensor> {
        match self {
            Seeds::Outputs(outputs) => outputs.iter().map(|&c| tape.unit_seed(c)).collect(),
            Seeds::Ones => vec![tape.ones_seed()],
        }
    }

    pub fn len(&self) -> usize {
        match self {
            Seeds::Outputs(outputs) => outputs.len(),
            Seeds::Ones => 1,
        }
    }
}

impl Outputs {
    /// # Errors
    /// Returns an error if the model has no outputs, or not the requested one.
    pub(crate) fn layout(self, outputs: usize) -> Result<Layout> {
        if outputs == 0 {
            return Err(Error::shape("the model has no outputs, so its kernel is not defined"));
        }
        let trace = Layout {
            seeds: Seeds::Outputs((0..outputs).collect()),
            blocks: 1,
            outputs_per_sample: 1,
            packing: Packing::Features,
            one_hot_weight: outputs as f64,
            scale: 1.0,
        };
        Ok(match self {
            Outputs::Full => {
                Layout { outputs_per_sample: outputs, packing: Packing::Rows, one_hot_weight: 1.0, ..trace }
            }
            Outputs::TraceSum => trace,
            Outputs::TraceMean => Layout { scale: 1.0 / outputs as f64, ..trace },
            Outputs::PerOutput => Layout { blocks: outputs, packing: Packing::Blocks, one_hot_weight: 1.0, ..trace },
            Outputs::Output(c) if c < outputs => {
                Layout { seeds: Seeds::Outputs(vec![c]), one_hot_weight: 1.0, ..trace }
            }
            Outputs::Output(c) => {
                return Err(Error::value(format!(
                    "output {c} does not exist: the model has {outputs} outputs, numbered from 0"
                )));
            }
            Outputs::SumOfOutputs => Layout { seeds: Seeds::Ones, ..trace },
        })
    }
}
