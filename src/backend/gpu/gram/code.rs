//! The text of the kernel of tiles.
//!
//! A workgroup has a square of K. For every record it multiplies both sides of a use, keeps the products of all its rows
//! and columns in registers, and writes K once. Compilers of shaders do not unroll loops or keep arrays in registers, so
//! the text is written out for a shape; which shape is fastest is found out by running them (tune.rs).

use std::fmt::{self, Write};
use std::sync::OnceLock;

use crate::backend::gpu::kernels::{Kernel, Shader};

/// How a workgroup shares out its square of K.
///
/// It prints as `64 x 64, 4 x 4 for an invocation, 16 steps`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Shape {
    /// Rows and columns of the square.
    pub side: u32,
    /// Rows and columns of an invocation: 4 or 8.
    pub own: u32,
    /// Steps of a sum that are in the workgroup's memory at a time.
    pub steps: u32,
}

/// The shapes that are tried. All fit what WebGPU promises: 256 invocations and 16 KiB.
pub(in crate::backend::gpu) const SHAPES: [Shape; 6] = [
    Shape { side: 32, own: 4, steps: 8 },
    Shape { side: 64, own: 4, steps: 16 },
    Shape { side: 64, own: 8, steps: 8 },
    Shape { side: 64, own: 8, steps: 16 },
    Shape { side: 128, own: 8, steps: 8 },
    Shape { side: 128, own: 8, steps: 16 },
];

/// Panels are padded to multiples of these: the largest square, the most steps.
pub(super) const SIDE: usize = 128;
pub(super) const STEPS: usize = 16;

/// Words of a record, in fours.
pub(super) const RECORD: usize = 3;
/// The product of right sides is that of the record before.
pub(super) const KEEP: u32 = 1;
/// What was added up is written.
pub(super) const FLUSH: u32 = 2;
/// It is added to what is there.
pub(super) const ADD: u32 = 4;

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Shape { side, own, steps } = self;
        write!(f, "{side} x {side}, {own} x {own} for an invocation, {steps} steps")
    }
}

impl Shape {
    /// Invocations along a side of the square.
    fn across(self) -> u32 {
        self.side / self.own
    }

    /// Its kernel, whose text is made once for the process.
    pub(in crate::backend::gpu) fn kernel(self) -> Kernel {
        static TEXTS: [OnceLock<String>; SHAPES.len()] = [const { OnceLock::new() }; SHAPES.len()];
        let index = SHAPES.iter().position(|shape| *shape == self).expect("one of the shapes");
        let text = TEXTS[index].get_or_init(|| self.text());
        Kernel { shader: Shader::Made(text), entry: "tile", inputs: 4, each: false }
    }

    fn text(self) -> String {
        let Shape { side, steps, .. } = self;
        let quarter = steps * side / 4;
        let threads = self.across() * self.across();
        let mut text = String::new();
        let _ = write!(
            text,
            "{HEAD}
var<workgroup> row_sides: array<vec4<f32>, {quarter}>;
var<workgroup> col_sides: array<vec4<f32>, {quarter}>;

{FUNCTIONS}
@compute @workgroup_size({threads})
fn tile(@builtin(workgroup_id) id: vec3<u32>, @builtin(local_invocation_index) lane: u32) {{
    let group = group_of(id);
    if !is_mine(group) {{ return; }}
    let place = place_of(group);
    // Below the diagonal nothing is needed.
    if word(11u) == 1u && place.y < place.x {{ return; }}
    let first_row = place.x * {side}u;
    let first_col = place.y * {side}u;
    let own_row = lane / {across}u;
    let own_col = lane % {across}u;
",
            across = self.across(),
        );
        for name in ["sum", "right", "left"] {
            self.each(&mut text, &|text, row, col| {
                let _ = writeln!(text, "    var {name}_{row}_{col} = vec4<f32>();");
            });
        }
        text += "    for (var record = word(9u); record < word(10u); record++) {
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
            let start = word(13u) + how.w * word(14u);
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

    /// Every row of an invocation, and its columns in fours.
    fn each(self, text: &mut String, line: &dyn Fn(&mut String, u32, u32)) {
        for row in 0..self.own {
            for col in 0..self.own / 4 {
                line(text, row, col);
            }
        }
    }

    fn zero(self, text: &mut String, name: &str) {
        self.each(text, &|text, row, col| {
            let _ = writeln!(text, "        {name}_{row}_{col} = vec4<f32>();");
        });
    }

    /// Where row `row` of an invocation is in K: its rows come in fours, as far apart as there are invocations.
    fn row(self, row: u32) -> String {
        format!("first_row + {}u + own_row * 4u", row / 4 * self.across() * 4 + row % 4)
    }

    fn col(self, col: u32) -> String {
        format!("first_col + {}u + own_col * 4u", col * self.across() * 4)
    }

    /// Adds the product of two sides, of `from`.z steps, to the registers `name`.
    fn product(self, text: &mut String, name: &str, from: &str) {
        let Shape { side, own, steps } = self;
        let (fours, across) = (side / 4, self.across());
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
                row_sides[at] = rows[{from}.x + step_at * word(7u) + first_row / 4u + at % {fours}u];
                col_sides[at] = cols[{from}.y + step_at * word(8u) + first_col / 4u + at % {fours}u];
            }}
",
                load * threads
            );
        }
        text.push_str("            workgroupBarrier();\n");
        let _ = writeln!(text, "            for (var k = 0u; k < {}u; k += {}u) {{", steps * fours, UNROLLED * fours);
        for k in 0..UNROLLED {
            text.push_str("                {\n");
            for four in 0..own / 4 {
                let at = k * fours + four * across;
                let _ = writeln!(text, "                    let r{four} = row_sides[k + {at}u + own_row];");
                let _ = writeln!(text, "                    let c{four} = col_sides[k + {at}u + own_col];");
            }
            self.each(text, &|text, row, col| {
                let (four, part) = (row / 4, ["x", "y", "z", "w"][row as usize % 4]);
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

/// Steps that are written out.
const UNROLLED: u32 = 4;

const HEAD: &str = "// A tile of K: for all records, the sum of (bias + weight A) B.
// Words: 3 and 4 squares along the rows and columns, 5 and 6 rows and columns of K, 7 and 8 fours between steps of the
// panels of rows and columns, 9 and 10 the records, 11 whether only the upper triangle is needed, 12 rows of K for a
// sample, 13 where K begins in the result, 14 from one slot to the next.
// Records: where B's sides begin for rows and columns, their steps, what B is where c = c' if there are none; the same of
// A, with the number of the matrix that it is read from, plus one; weight, bias, flags, slot.

@group(0) @binding(1) var<storage, read> rows: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> cols: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read> records: array<vec4<u32>>;
@group(0) @binding(4) var<storage, read> lefts: array<f32>;
@group(0) @binding(5) var<storage, read_write> kernel: array<f32>;
";

const FUNCTIONS: &str = "// The square of a workgroup: eight rows of squares at a time, column by column, so that what is read stays in cache.
fn place_of(group: u32) -> vec2<u32> {
    let band = group / (8u * word(4u));
    let within = group % (8u * word(4u));
    let high = min(8u, word(3u) - band * 8u);
    return vec2<u32>(band * 8u + within % high, within / high);
}

// B where it is that of unit vectors.
fn unit(row: u32, col: u32, value: f32) -> vec4<f32> {
    let inner = vec4<u32>(word(12u));
    let cols = (vec4<u32>(col) + vec4<u32>(0u, 1u, 2u, 3u)) % inner;
    return select(vec4<f32>(), vec4<f32>(value), cols == vec4<u32>(row) % inner);
}

// A from where it was computed for samples.
fn left_of(matrix: u32, row: u32, col: u32) -> vec4<f32> {
    let inner = word(12u);
    let high = word(5u) / inner;
    let wide = word(6u) / inner;
    let start = (matrix * high + min(row / inner, high - 1u)) * wide;
    let at = min((vec4<u32>(col) + vec4<u32>(0u, 1u, 2u, 3u)) / inner, vec4<u32>(wide - 1u));
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
    if row >= word(5u) { return; }
    let at = start + row * word(6u) + col;
    if col < word(6u) { put(at, values.x, add); }
    if col + 1u < word(6u) { put(at + 1u, values.y, add); }
    if col + 2u < word(6u) { put(at + 2u, values.z, add); }
    if col + 3u < word(6u) { put(at + 3u, values.w, add); }
}
";
