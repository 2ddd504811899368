//! The text of the fused kernel.
//!
//! A workgroup computes a square of K. For every record it multiplies the operands, keeps the products of all its rows
//! and columns in registers, and writes K once. Shader compilers do not unroll loops or keep arrays in registers, so
//! the text is generated unrolled for a shape. The fastest shape is measured (tune.rs).

use std::fmt::{self, Write};
use std::sync::OnceLock;

use crate::backend::gpu::kernels::{Kernel, Shader};

/// The partition of a workgroup's square of K.
///
/// It prints as `64 x 64, 4 x 4 per invocation, 16 steps`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Shape {
    /// The number of rows and columns of the square.
    pub side: u32,
    /// The number of rows and columns of an invocation: 4 or 8.
    pub per_invocation: u32,
    /// The number of steps of a sum in workgroup memory at a time.
    pub steps: u32,
}

/// The shapes that are measured. All fit the limits that WebGPU guarantees: 256 invocations and 16 KiB.
pub(in crate::backend::gpu) const SHAPES: [Shape; 6] = [
    Shape { side: 32, per_invocation: 4, steps: 8 },
    Shape { side: 64, per_invocation: 4, steps: 16 },
    Shape { side: 64, per_invocation: 8, steps: 8 },
    Shape { side: 64, per_invocation: 8, steps: 16 },
    Shape { side: 128, per_invocation: 8, steps: 8 },
    Shape { side: 128, per_invocation: 8, steps: 16 },
];

/// Panels are padded to multiples of the largest square and of the largest number of steps.
pub(super) const SIDE: usize = 128;
pub(super) const STEPS: usize = 16;

/// The size of a record, in groups of four numbers.
pub(super) const RECORD: usize = 3;
/// Flag: B is the same as in the previous record.
pub(super) const KEEP: u32 = 1;
/// Flag: the accumulator is written.
pub(super) const FLUSH: u32 = 2;
/// Flag: the accumulator is added to the result of an earlier dispatch.
pub(super) const ADD: u32 = 4;

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Shape { side, per_invocation, steps } = self;
        write!(f, "{side} x {side}, {per_invocation} x {per_invocation} per invocation, {steps} steps")
    }
}

impl Shape {
    /// The number of invocations along a side of the square.
    fn across(self) -> u32 {
        self.side / self.per_invocation
    }

    /// The kernel of this shape. Its text is generated once per process.
    pub(in crate::backend::gpu) fn kernel(self) -> Kernel {
        static TEXTS: [OnceLock<String>; SHAPES.len()] = [const { OnceLock::new() }; SHAPES.len()];
        let index = SHAPES.iter().position(|shape| *shape == self).expect("SHAPES lists all shapes");
        let text = TEXTS[index].get_or_init(|| self.text());
        Kernel { shader: Shader::Generated(text), entry: "tile", inputs: 4, each: false }
    }

    fn text(self) -> String {
        let Shape { side, steps, .. } = self;
        let quarter = steps * side / 4;
        let threads = self.across() * self.across();
        let mut text = String::new();
        let _ = write!(
            text,
            "{HEAD}
var<workgroup> row_values: array<vec4<f32>, {quarter}>;
var<workgroup> col_values: array<vec4<f32>, {quarter}>;

{FUNCTIONS}
@compute @workgroup_size({threads})
fn tile(@builtin(workgroup_id) id: vec3<u32>, @builtin(local_invocation_index) lane: u32) {{
    let group = group_of(id);
    if !is_mine(group) {{ return; }}
    let place = place_of(group);
    // Squares below the diagonal are not needed.
    if param(11u) == 1u && place.y < place.x {{ return; }}
    let first_row = place.x * {side}u;
    let first_col = place.y * {side}u;
    let lane_row = lane / {across}u;
    let lane_col = lane % {across}u;
",
            across = self.across(),
        );
        for name in ["sum", "right", "left"] {
            self.each(&mut text, &|text, row, col| {
                let _ = writeln!(text, "    var {name}_{row}_{col} = vec4<f32>();");
            });
        }
        text += "    for (var record = param(9u); record < param(10u); record++) {
        let b = records[record * 3u];
        let a = records[record * 3u + 1u];
        let how = records[record * 3u + 2u];
        if (how.z & 1u) == 0u {
";
        self.zero(&mut text, "right");
        self.product(&mut text, "right", "b");
        text += "            if b.z == 0u {\n";
        self.each(&mut text, &|text, row, col| {
            let (row_at, col_at) = (self.row(row), self.col(col));
            let _ = writeln!(text, "                right_{row}_{col} = unit({row_at}, {col_at}, bitcast<f32>(b.w));");
        });
        text += "            }\n        }\n";
        self.zero(&mut text, "left");
        self.product(&mut text, "left", "a");
        text += "        if a.w > 0u {\n";
        self.each(&mut text, &|text, row, col| {
            let (row_at, col_at) = (self.row(row), self.col(col));
            let _ = writeln!(text, "            left_{row}_{col} = left_of(a.w - 1u, {row_at}, {col_at});");
        });
        text += "        }
        let weight = bitcast<f32>(how.x);
        let bias = vec4<f32>(bitcast<f32>(how.y));
";
        self.each(&mut text, &|text, row, col| {
            let _ = writeln!(
                text,
                "        sum_{row}_{col} = fma(right_{row}_{col}, fma(vec4<f32>(weight), left_{row}_{col}, bias), sum_{row}_{col});"
            );
        });
        text += "        if (how.z & 2u) != 0u {
            let start = param(13u) + how.w * param(14u);
            let add = (how.z & 4u) != 0u;
";
        self.each(&mut text, &|text, row, col| {
            let (row_at, col_at) = (self.row(row), self.col(col));
            let _ = writeln!(text, "            store(start, {row_at}, {col_at}, sum_{row}_{col}, add);");
            let _ = writeln!(text, "            sum_{row}_{col} = vec4<f32>();");
        });
        text += "        }\n    }\n}\n";
        text
    }

    /// Calls `line` for every row of an invocation and every group of four of its columns.
    fn each(self, text: &mut String, line: &dyn Fn(&mut String, u32, u32)) {
        for row in 0..self.per_invocation {
            for col in 0..self.per_invocation / 4 {
                line(text, row, col);
            }
        }
    }

    fn zero(self, text: &mut String, name: &str) {
        self.each(text, &|text, row, col| {
            let _ = writeln!(text, "        {name}_{row}_{col} = vec4<f32>();");
        });
    }

    /// The row of K for row `row` of an invocation. Its rows are groups of four. The groups are interleaved with those
    /// of the other invocations.
    fn row(self, row: u32) -> String {
        format!("first_row + {}u + lane_row * 4u", row / 4 * self.across() * 4 + row % 4)
    }

    fn col(self, col: u32) -> String {
        format!("first_col + {}u + lane_col * 4u", col * self.across() * 4)
    }

    /// Adds the product of two operands with `from`.z steps to the registers `name`.
    fn product(self, text: &mut String, name: &str, from: &str) {
        let Shape { side, per_invocation, steps } = self;
        let fours = side / 4;
        let across = self.across();
        let threads = across * across;
        let loads = steps * fours / threads;
        let _ = writeln!(
            text,
            "        for (var step = 0u; step < {from}.z; step += {steps}u) {{\n            workgroupBarrier();"
        );
        for load in 0..loads {
            let _ = write!(
                text,
                "            {{
                let at = lane + {}u;
                let step_at = step + at / {fours}u;
                row_values[at] = rows[{from}.x + step_at * param(7u) + first_row / 4u + at % {fours}u];
                col_values[at] = cols[{from}.y + step_at * param(8u) + first_col / 4u + at % {fours}u];
            }}
",
                load * threads
            );
        }
        text.push_str("            workgroupBarrier();\n");
        let _ = writeln!(text, "            for (var k = 0u; k < {}u; k += {}u) {{", steps * fours, UNROLLED * fours);
        for k in 0..UNROLLED {
            text.push_str("                {\n");
            for four in 0..per_invocation / 4 {
                let at = k * fours + four * across;
                let _ = writeln!(text, "                    let r{four} = row_values[k + {at}u + lane_row];");
                let _ = writeln!(text, "                    let c{four} = col_values[k + {at}u + lane_col];");
            }
            self.each(text, &|text, row, col| {
                let four = row / 4;
                let part = ["x", "y", "z", "w"][row as usize % 4];
                let _ = writeln!(
                    text,
                    "                    {name}_{row}_{col} = fma(vec4<f32>(r{four}.{part}), c{col}, {name}_{row}_{col});"
                );
            });
            text.push_str("                }\n");
        }
        text.push_str("            }\n        }\n");
    }
}

/// The number of unrolled steps.
const UNROLLED: u32 = 4;

const HEAD: &str = "// A tile of K: for all records, the sum of (bias + weight A) B.
// Params: 3 and 4 squares along rows and columns; 5 and 6 rows and columns of K; 7 and 8 groups of four numbers between
// steps of the panels of rows and columns; 9 and 10 the range of records; 11 is 1 if only the upper triangle is needed;
// 12 rows of K per sample; 13 offset of K in the result; 14 distance between two accumulators.
// Records, in groups of four: the offsets of B's operands, their steps, and the value of B where c = c' if it has no
// operands; the same for A, with the number of its matrix plus one; weight, bias, flags, accumulator.

@group(0) @binding(1) var<storage, read> rows: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> cols: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read> records: array<vec4<u32>>;
@group(0) @binding(4) var<storage, read> lefts: array<f32>;
@group(0) @binding(5) var<storage, read_write> kernel: array<f32>;
";

const FUNCTIONS: &str =
    "// The square of a workgroup: eight rows of squares at a time, column by column, so that panels stay in cache.
fn place_of(group: u32) -> vec2<u32> {
    let row_group = group / (8u * param(4u));
    let within = group % (8u * param(4u));
    let high = min(8u, param(3u) - row_group * 8u);
    return vec2<u32>(row_group * 8u + within % high, within / high);
}

// B for unit vectors.
fn unit(row: u32, col: u32, value: f32) -> vec4<f32> {
    let outputs = vec4<u32>(param(12u));
    let cols = (vec4<u32>(col) + vec4<u32>(0u, 1u, 2u, 3u)) % outputs;
    return select(vec4<f32>(), vec4<f32>(value), cols == vec4<u32>(row) % outputs);
}

// A from a matrix that was computed earlier, with one entry per pair of samples.
fn left_of(matrix: u32, row: u32, col: u32) -> vec4<f32> {
    let outputs = param(12u);
    let high = param(5u) / outputs;
    let wide = param(6u) / outputs;
    let start = (matrix * high + min(row / outputs, high - 1u)) * wide;
    let at = min((vec4<u32>(col) + vec4<u32>(0u, 1u, 2u, 3u)) / outputs, vec4<u32>(wide - 1u));
    return vec4<f32>(lefts[start + at.x], lefts[start + at.y], lefts[start + at.z], lefts[start + at.w]);
}

fn put(at: u32, value: f32, add: bool) {
    if add {
        kernel[at] += value;
    } else {
        kernel[at] = value;
    }
}

fn store(start: u32, row: u32, col: u32, values: vec4<f32>, add: bool) {
    if row >= param(5u) { return; }
    let at = start + row * param(6u) + col;
    if col < param(6u) { put(at, values.x, add); }
    if col + 1u < param(6u) { put(at + 1u, values.y, add); }
    if col + 2u < param(6u) { put(at + 2u, values.z, add); }
    if col + 3u < param(6u) { put(at + 3u, values.w, add); }
}
";
