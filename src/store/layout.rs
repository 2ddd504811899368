//! What is on disk: the sizes of a kernel and its cut into units, and whose it is.

use serde_json::{Value, json};

use super::difference;
use crate::error::{Error, Result};
use crate::kernel::sink::{Frame, Region};
use crate::real::Real;

/// The sizes of a kernel, its cut into units, and how it is stored.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Layout {
    /// `"npy"` or `"zarr"`.
    pub format: &'static str,
    /// The bytes of a number: 4 or 8.
    pub size: usize,
    /// `"total"` and components.
    pub matrices: Vec<String>,
    pub blocks: usize,
    pub rows: usize,
    pub cols: usize,
    pub symmetric: bool,
    pub regions: Vec<Region>,
}

/// What every journal of a kernel begins with.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Header {
    pub layout: Layout,
    pub fingerprint: Value,
}

impl Header {
    pub fn new<R: Real>(format: &'static str, frame: &Frame) -> Result<Self> {
        let Frame { matrices, blocks, rows, cols, symmetric, regions, fingerprint, .. } = frame.clone();
        let fingerprint = serde_json::from_str(&fingerprint)
            .map_err(|error| Error::format(format!("the identity of this run is not JSON: {error}")))?;
        let layout = Layout { format, size: size_of::<R>(), matrices, blocks, rows, cols, symmetric, regions };
        layout.check()?;
        Ok(Header { layout, fingerprint })
    }

    /// What differs between the run that left `self` and this one.
    pub fn difference(&self, here: &Header) -> Option<String> {
        let (a, b) = (&self.layout, &here.layout);
        difference::first(&self.fingerprint, &here.fingerprint)
            .or_else(|| difference::first(&a.sizes(), &b.sizes()))
            .or_else(|| (a.regions != b.regions).then(|| "the cut into units differs".into()))
    }
}

impl Layout {
    /// How many bytes one matrix has.
    pub fn bytes(&self) -> u64 {
        // It fits: `check` was here.
        (self.blocks * self.rows * self.cols * self.size) as u64
    }

    /// The mirror image of a unit, if it has one.
    pub fn mirror(&self, region: &Region) -> Option<Region> {
        let above = region.above();
        (self.symmetric && !above.is_empty()).then(|| Region { rows: region.cols.clone(), cols: above })
    }

    fn sizes(&self) -> Value {
        let number = if self.size == 4 { "f32" } else { "f64" };
        let Layout { format, matrices, blocks, rows, cols, symmetric, .. } = self;
        json!({
            "format": format, "type": number, "matrices": matrices,
            "blocks": blocks, "rows": rows, "cols": cols, "symmetric": symmetric,
        })
    }

    pub fn to_json(&self) -> Value {
        let mut all = self.sizes();
        let cut = |region: &Region| json!([region.rows.start, region.rows.end, region.cols.start, region.cols.end]);
        all["regions"] = self.regions.iter().map(cut).collect();
        all
    }

    /// Reads what [`to_json`](Self::to_json) wrote; `None` if it is of another form.
    pub fn from_json(all: &Value) -> Option<Result<Self>> {
        let number = |value: &Value| value.as_u64().and_then(|number| usize::try_from(number).ok());
        let format = ["npy", "zarr"].into_iter().find(|&format| all["format"] == *format)?;
        let size = match all["type"].as_str()? {
            "f32" => 4,
            "f64" => 8,
            _ => return None,
        };
        let matrices = all["matrices"].as_array()?.iter().map(|name| name.as_str().map(str::to_owned));
        let region = |cut: &Value| match cut.as_array()?.iter().map(number).collect::<Option<Vec<_>>>()?[..] {
            [top, bottom, left, right] => Some(Region { rows: top..bottom, cols: left..right }),
            _ => None,
        };
        let layout = Layout {
            format,
            size,
            matrices: matrices.collect::<Option<_>>()?,
            blocks: number(&all["blocks"])?,
            rows: number(&all["rows"])?,
            cols: number(&all["cols"])?,
            symmetric: all["symmetric"].as_bool()?,
            regions: all["regions"].as_array()?.iter().map(region).collect::<Option<_>>()?,
        };
        Some(layout.check().map(|()| layout))
    }

    /// Are the sizes possible, and are the units a cut of K?
    fn check(&self) -> Result<()> {
        let Layout { blocks, rows, cols, .. } = *self;
        let shape = format!("[{blocks}, {rows}, {cols}]");
        if self.matrices.first().is_none_or(|first| first != "total") {
            return Err(Error::format("the first matrix is not the total"));
        }
        let mut names = self.matrices.clone();
        names.sort();
        if let Some(twice) = names.windows(2).find(|pair| pair[0] == pair[1]) {
            return Err(Error::format(format!("there are two matrices of the name {:?}", twice[0])));
        }
        // i64: files are no longer. A page more is for a header.
        let bytes = [rows, cols, self.size].iter().try_fold(blocks as u64, |all, &size| all.checked_mul(size as u64));
        if blocks == 0 || bytes.is_none_or(|bytes| bytes > i64::MAX as u64 - 4096 || usize::try_from(bytes).is_err()) {
            return Err(Error::format(format!("no file holds a matrix of shape {shape}")));
        }
        if self.symmetric && rows != cols {
            return Err(Error::format(format!("a symmetric matrix is square, not of shape {shape}")));
        }
        let mut area = 0u128;
        for region in &self.regions {
            let (r, c) = (&region.rows, &region.cols);
            let inside = r.start < r.end && r.end <= rows && c.start < c.end && c.end <= cols;
            let upper = r.end <= c.start || r.end == c.end && r.start <= c.start;
            if !inside || self.symmetric && !upper {
                let triangle = if self.symmetric { "the upper triangle of " } else { "" };
                return Err(Error::format(format!("the unit {r:?} x {c:?} is no part of {triangle}K, {shape}")));
            }
            let mirror = self.mirror(region).map_or(0, |mirror| mirror.entries());
            area += region.entries() as u128 + mirror as u128;
        }
        if area != rows as u128 * cols as u128 {
            return Err(Error::format(format!("the units have {area} entries, and K, {shape}, has more or fewer")));
        }
        Ok(())
    }
}
