//! The gated recurrent unit.

use super::arithmetic::{difference, plus, product};
use super::recurrence::{Cell, Direction, Product, State};
use crate::error::Result;
use crate::io::onnx::call::Call;
use crate::io::onnx::operand::Operand;
use crate::io::onnx::reader::Reader;

/// Gates z and r, and what a step proposes, n. The step is H = n + z (H - n).
///
/// - z = f(X Wz^T + H Rz^T + b), r the same.
/// - n = g(X Wn^T + r (H Rn^T + b)) if the reset follows the product (`linear_before_reset`), as PyTorch has it;
///   otherwise n = g(X Wn^T + (r H) Rn^T + b).
pub(super) struct Gru {
    direction: Direction,
    /// The products of z and r, and of n, if the reset comes before the product.
    apart: Option<[Product; 2]>,
}

impl Cell for Gru {
    const GATES: usize = 3;
    const ACTIVATIONS: &'static [&'static str] = &["Sigmoid", "Tanh"];

    fn new(reader: &mut Reader<'_>, call: &Call<'_>, direction: Direction) -> Result<Self> {
        if call.flag("linear_before_reset") {
            return Ok(Gru { direction, apart: None });
        }
        let (recurrent, hidden) = (&direction.recurrent, direction.hidden);
        let gates = recurrent.rows(reader, 0..2 * hidden)?;
        let proposal = recurrent.rows(reader, 2 * hidden..3 * hidden)?;
        Ok(Gru { direction, apart: Some([gates, proposal]) })
    }

    fn step(&self, reader: &mut Reader<'_>, x: &Operand, state: &State) -> Result<State> {
        let direction = &self.direction;
        let [f, g] = [&direction.activations[0], &direction.activations[1]];
        let recurrent = self.apart.as_ref().map_or(&direction.recurrent, |[gates, _]| gates);
        let before = recurrent.apply(reader, &state.hidden)?;
        let mut gates = Vec::with_capacity(2);
        for k in 0..2 {
            let (now, before) = (direction.gate(reader, x, k)?, direction.gate(reader, &before, k)?);
            let sum = plus(reader, &now, &before)?;
            gates.push(f.of_gate(reader, &sum)?);
        }
        let [update, reset] = [&gates[0], &gates[1]];
        let past = match &self.apart {
            Some([_, proposal]) => {
                let kept = product(reader, reset, &state.hidden)?;
                proposal.apply(reader, &kept)?
            }
            None => {
                let before = direction.gate(reader, &before, 2)?;
                product(reader, reset, &before)?
            }
        };
        let now = direction.gate(reader, x, 2)?;
        let sum = plus(reader, &now, &past)?;
        let proposed = g.of_gate(reader, &sum)?;
        let change = difference(reader, &state.hidden, &proposed)?;
        let kept = product(reader, update, &change)?;
        let hidden = plus(reader, &proposed, &kept)?;
        Ok(State { hidden, cell: state.cell.clone() })
    }
}
