//! The long short-term memory.

use super::arithmetic::{plus, product};
use super::parts::cut;
use super::recurrence::{Cell, Direction, State, part};
use crate::error::{Error, Result};
use crate::io::onnx::call::Call;
use crate::io::onnx::operand::Operand;
use crate::io::onnx::reader::Reader;

/// Gates i, o, f = f(X W^T + H R^T + b) and the proposal c = g(...), in this order along the weights' rows. The step is
/// C = f C + i c and H = o h(C). With peepholes P, the gates i and f also see P C before the step, and o sees P C after
/// it.
pub(super) struct Lstm {
    direction: Direction,
    /// For i, o and f: `[hidden]` each.
    peepholes: Option<[Operand; 3]>,
}

impl Cell for Lstm {
    const GATES: usize = 4;
    const ACTIVATIONS: &'static [&'static str] = &["Sigmoid", "Tanh", "Tanh"];

    fn new(reader: &mut Reader<'_>, call: &Call<'_>, direction: Direction) -> Result<Self> {
        if call.flag("input_forget") {
            return Err(Error::unsupported(
                "input_forget=1 (input and forget gates coupled) is not supported; export the layer without it",
            ));
        }
        let peepholes = match call.optional(7) {
            Some(all) => Some(peepholes(reader, all, &direction)?),
            None => None,
        };
        Ok(Lstm { direction, peepholes })
    }

    fn step(&self, reader: &mut Reader<'_>, x: &Operand, state: &State) -> Result<State> {
        let direction = &self.direction;
        let [f, g, h] = [0, 1, 2].map(|k| &direction.activations[k]);
        let before = direction.recurrent.apply(reader, &state.hidden)?;
        let sums = plus(reader, x, &before)?;
        let mut gates = Vec::with_capacity(4);
        for k in 0..4 {
            gates.push(direction.gate(reader, &sums, k)?);
        }
        for k in [0, 2] {
            let sum = self.peeped(reader, &gates[k], &state.cell, k)?;
            gates[k] = f.of_gate(reader, &sum)?;
        }
        let proposed = g.of_gate(reader, &gates[3])?;
        let new = product(reader, &gates[0], &proposed)?;
        let kept = product(reader, &gates[2], &state.cell)?;
        let cell = plus(reader, &kept, &new)?;
        let sum = self.peeped(reader, &gates[1], &cell, 1)?;
        let open = f.of_gate(reader, &sum)?;
        let shown = h.apply(reader, &cell)?;
        Ok(State { hidden: product(reader, &open, &shown)?, cell })
    }
}

impl Lstm {
    /// The sum of gate `k` and, with peepholes, its part of the cell state.
    fn peeped(&self, reader: &mut Reader<'_>, sum: &Operand, cell: &Operand, k: usize) -> Result<Operand> {
        let Some(peepholes) = &self.peepholes else { return Ok(sum.clone()) };
        let seen = product(reader, cell, &peepholes[k])?;
        plus(reader, sum, &seen)
    }
}

/// Of one direction, for i, o and f.
fn peepholes(reader: &mut Reader<'_>, all: &Operand, direction: &Direction) -> Result<[Operand; 3]> {
    let hidden = direction.hidden;
    let entries = hidden.saturating_mul(3);
    if all.rank() != 2 || all.shape[1] != entries {
        return Err(Error::shape(format!("P has shape {:?}; [directions, {entries}] is needed", all.shape)));
    }
    let own = part(reader, all, direction.index, &[entries])?;
    let mut of_gate = |k: usize| cut(reader, &own, 0, k * hidden..(k + 1) * hidden);
    Ok([of_gate(0)?, of_gate(1)?, of_gate(2)?])
}
