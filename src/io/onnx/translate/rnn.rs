//! The plain recurrent layer.

use super::arithmetic::plus;
use super::recurrence::{Cell, Direction, State};
use crate::error::Result;
use crate::io::onnx::call::Call;
use crate::io::onnx::operand::Operand;
use crate::io::onnx::reader::Reader;

/// H = f(X W^T + H R^T + b), step by step.
pub(super) struct Rnn(Direction);

impl Cell for Rnn {
    const GATES: usize = 1;
    const ACTIVATIONS: &'static [&'static str] = &["Tanh"];

    fn new(_reader: &mut Reader<'_>, _call: &Call<'_>, direction: Direction) -> Result<Self> {
        Ok(Rnn(direction))
    }

    fn step(&self, reader: &mut Reader<'_>, x: &Operand, state: &State) -> Result<State> {
        let before = self.0.recurrent.apply(reader, &state.hidden)?;
        let sum = plus(reader, x, &before)?;
        let hidden = self.0.activations[0].of_gate(reader, &sum)?;
        Ok(State { hidden, cell: state.cell.clone() })
    }
}
