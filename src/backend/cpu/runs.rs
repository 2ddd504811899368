//! Loops over strided indices.

use crate::shape::numel;

/// Calls `f(offset of a, offset of b)` for every index of `shape` in row-major order. The innermost axis is a loop of
/// its own.
pub(super) fn for_each_index(shape: &[usize], a: &[usize], b: &[usize], mut f: impl FnMut(usize, usize)) {
    let Some((&inner, outer)) = shape.split_last() else { return f(0, 0) };
    let [step_a, step_b] = [a[outer.len()], b[outer.len()]];
    let mut index = vec![0; outer.len()];
    let mut offset_a = 0;
    let mut offset_b = 0;
    for _ in 0..numel(outer) {
        for k in 0..inner {
            f(offset_a + k * step_a, offset_b + k * step_b);
        }
        for axis in (0..outer.len()).rev() {
            index[axis] += 1;
            offset_a += a[axis];
            offset_b += b[axis];
            if index[axis] < outer[axis] {
                break;
            }
            offset_a -= a[axis] * outer[axis];
            offset_b -= b[axis] * outer[axis];
            index[axis] = 0;
        }
    }
}

/// Two strided operands over one shape, as runs: in a run each operand moves by one entry or does not move.
pub(super) struct Runs {
    /// The axes outside of the runs, and the strides of both operands along them.
    pub shape: Vec<usize>,
    pub x: Vec<usize>,
    pub y: Vec<usize>,
    /// The length of a run.
    pub count: usize,
    /// The step of each operand in a run, 0 or 1.
    pub steps: [usize; 2],
}

impl Runs {
    pub fn new(shape: &[usize], x: Vec<usize>, y: Vec<usize>) -> Self {
        let mut runs = Runs { shape: shape.to_vec(), x, y, count: 1, steps: [0, 0] };
        while let (Some(&size), Some(&x), Some(&y)) = (runs.shape.last(), runs.x.last(), runs.y.last()) {
            if runs.count == 1 && size > 1 {
                runs.steps = [x, y];
            }
            // An axis extends the run if both operands continue where the run ended. An axis of size 1 always does.
            let extends = [x, y] == runs.steps.map(|step| step * runs.count) && runs.steps.iter().all(|&step| step < 2);
            if size != 1 && !extends {
                break;
            }
            runs.count *= size;
            runs.shape.pop();
            runs.x.pop();
            runs.y.pop();
        }
        if runs.count == 1 {
            runs.steps = [0, 0];
        }
        runs
    }
}
