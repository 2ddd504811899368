//! `ntk heatmap`

use serde_json::json;
use tangent_kernels::io::npy;
use tangent_kernels::io::png::HeatMap;
use tangent_kernels::{Error, Result};

use crate::Answer;
use crate::arguments::Heatmap;

pub fn run(options: &Heatmap) -> Result<Answer> {
    let (shape, data) = npy::read_numbers::<f64>(&options.kernel)?;
    let in_file = |error: Error| error.context(options.kernel.display());
    let [blocks, rows, columns] = match shape[..] {
        [rows, columns] => [1, rows, columns],
        [blocks, rows, columns] => [blocks, rows, columns],
        _ => return Err(in_file(Error::shape(format!("a kernel has 2 or 3 axes, but the shape is {shape:?}")))),
    };
    if options.block >= blocks {
        let block = options.block;
        return Err(in_file(Error::value(format!(
            "--block {block} is out of range: the kernel has {blocks} matrices"
        ))));
    }
    let matrix = &data[options.block * rows * columns..][..rows * columns];
    let mut map = HeatMap::new(rows, columns, matrix).diverging(options.diverging);
    if let Some(title) = &options.title {
        map = map.title(title);
    }
    if let Some(pixels) = options.size {
        map = map.size(pixels);
    }
    map.save(&options.out)?;
    let text = format!("{}: {rows} x {columns}", options.out.display());
    let json = json!({ "picture": options.out.display().to_string(), "rows": rows, "columns": columns });
    Ok(Answer { text, json, good: true })
}
