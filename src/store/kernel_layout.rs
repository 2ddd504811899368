//! The layout of a kernel on disk: its sizes and its partition into regions. The header adds the run's fingerprint.

use serde_json::{Value, json};

use super::difference;
use crate::error::{Error, Result};
use crate::kernel::sink::{Frame, Region};
use crate::real::Real;

/// Room for the header of a file, in bytes.
const HEADER_BYTES: u64 = 4096;

/// The sizes of a kernel, its partition into regions, and its format.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct KernelLayout {
    /// `"npy"` or `"zarr"`.
    pub format: &'static str,
    /// The number of bytes per entry: 4 or 8.
    pub size: usize,
    /// `"total"`, then the names of the components.
    pub matrices: Vec<String>,
    pub blocks: usize,
    pub rows: usize,
    pub cols: usize,
    pub symmetric: bool,
    pub regions: Vec<Region>,
}

/// The common header of all journals of a kernel.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Header {
    pub layout: KernelLayout,
    pub fingerprint: Value,
}

impl Header {
    pub fn new<R: Real>(format: &'static str, frame: &Frame) -> Result<Self> {
        let Frame { matrices, blocks, rows, cols, symmetric, regions, fingerprint, .. } = frame.clone();
        let fingerprint = serde_json::from_str(&fingerprint)
            .map_err(|error| Error::format(format!("the fingerprint of this run is not valid JSON: {error}")))?;
        let layout = KernelLayout { format, size: size_of::<R>(), matrices, blocks, rows, cols, symmetric, regions };
        layout.check()?;
        Ok(Header { layout, fingerprint })
    }

    /// Describes the difference between this stored header and that of the current run.
    pub fn difference(&self, current: &Header) -> Option<String> {
        let (stored, new) = (&self.layout, &current.layout);
        difference::describe(&self.fingerprint, &current.fingerprint)
            .or_else(|| difference::describe(&stored.sizes(), &new.sizes()))
            .or_else(|| (stored.regions != new.regions).then(|| "the partition into regions differs".into()))
    }
}

impl KernelLayout {
    /// The number of bytes of one matrix.
    pub fn bytes(&self) -> u64 {
        // `check` has excluded an overflow.
        (self.blocks * self.rows * self.cols * self.size) as u64
    }

    /// The mirror image of a region below the diagonal, if it has one.
    pub fn mirror(&self, region: &Region) -> Option<Region> {
        let above = region.above();
        (self.symmetric && !above.is_empty()).then(|| Region { rows: region.cols.clone(), cols: above })
    }

    fn sizes(&self) -> Value {
        let number = if self.size == 4 { "f32" } else { "f64" };
        let KernelLayout { format, matrices, blocks, rows, cols, symmetric, .. } = self;
        json!({
            "format": format, "type": number, "matrices": matrices,
            "blocks": blocks, "rows": rows, "cols": cols, "symmetric": symmetric,
        })
    }

    pub fn to_json(&self) -> Value {
        let mut layout = self.sizes();
        layout["regions"] = self.regions.iter().map(region_to_json).collect();
        layout
    }

    /// Reads the result of [`to_json`](Self::to_json). Returns `None` for JSON of another structure.
    pub fn from_json(json: &Value) -> Option<Result<Self>> {
        let format = ["npy", "zarr"].into_iter().find(|&format| json["format"] == *format)?;
        let size = match json["type"].as_str()? {
            "f32" => 4,
            "f64" => 8,
            _ => return None,
        };
        let matrices = json["matrices"].as_array()?.iter().map(|name| name.as_str().map(str::to_owned));
        let layout = KernelLayout {
            format,
            size,
            matrices: matrices.collect::<Option<_>>()?,
            blocks: number(&json["blocks"])?,
            rows: number(&json["rows"])?,
            cols: number(&json["cols"])?,
            symmetric: json["symmetric"].as_bool()?,
            regions: json["regions"].as_array()?.iter().map(region_from_json).collect::<Option<_>>()?,
        };
        Some(layout.check().map(|()| layout))
    }

    /// Checks that the sizes are possible and that the regions cover K exactly once.
    fn check(&self) -> Result<()> {
        if self.matrices.first().is_none_or(|first| first != "total") {
            return Err(Error::format("the first matrix of a kernel must be named \"total\""));
        }
        let mut names = self.matrices.clone();
        names.sort();
        if let Some(pair) = names.windows(2).find(|pair| pair[0] == pair[1]) {
            return Err(Error::format(format!("two matrices have the name {:?}", pair[0])));
        }
        self.check_size()?;
        self.check_regions()
    }

    fn check_size(&self) -> Result<()> {
        let shape = [self.blocks, self.rows, self.cols];
        // The length of a file is an i64.
        let most = i64::MAX as u64 - HEADER_BYTES;
        let sizes = [self.rows, self.cols, self.size];
        let bytes = sizes.iter().try_fold(self.blocks as u64, |bytes, &size| bytes.checked_mul(size as u64));
        if self.blocks == 0 || bytes.is_none_or(|bytes| bytes > most || usize::try_from(bytes).is_err()) {
            return Err(Error::format(format!("a matrix of shape {shape:?} cannot be stored in a file")));
        }
        if self.symmetric && self.rows != self.cols {
            return Err(Error::format(format!("a symmetric matrix must be square, but its shape is {shape:?}")));
        }
        Ok(())
    }

    fn check_regions(&self) -> Result<()> {
        let shape = [self.blocks, self.rows, self.cols];
        let mut area = 0u128;
        for region in &self.regions {
            let Region { rows, cols } = region;
            let inside =
                rows.start < rows.end && rows.end <= self.rows && cols.start < cols.end && cols.end <= self.cols;
            let upper = rows.end <= cols.start || rows.end == cols.end && rows.start <= cols.start;
            if !inside || self.symmetric && !upper {
                let triangle = if self.symmetric { "the upper triangle of " } else { "" };
                return Err(Error::format(format!("the region {rows:?} x {cols:?} is outside {triangle}K, {shape:?}")));
            }
            let mirror = self.mirror(region).map_or(0, |mirror| mirror.entries());
            area += region.entries() as u128 + mirror as u128;
        }
        if area != self.rows as u128 * self.cols as u128 {
            return Err(Error::format(format!("the regions have {area} entries and do not cover K, {shape:?}")));
        }
        Ok(())
    }
}

fn number(json: &Value) -> Option<usize> {
    json.as_u64().and_then(|number| usize::try_from(number).ok())
}

fn region_to_json(region: &Region) -> Value {
    json!([region.rows.start, region.rows.end, region.cols.start, region.cols.end])
}

fn region_from_json(json: &Value) -> Option<Region> {
    match json.as_array()?.iter().map(number).collect::<Option<Vec<_>>>()?[..] {
        [top, bottom, left, right] => Some(Region { rows: top..bottom, cols: left..right }),
        _ => None,
    }
}
