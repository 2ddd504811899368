//! The numbers of a tensor, of any numeric type, in the file or next to it.

use std::io::{Read, Seek, SeekFrom};
use std::path::{Component, Path};

use super::array::{Array, Kind};
use super::proto::TensorProto;
use crate::error::{Error, Result};
use crate::io::half::{bfloat, half};
use crate::io::open;
use crate::shape::checked_numel;

/// The numbers of `tensor`; `folder` is the folder of files with external data.
///
/// # Errors
/// The tensor has more or fewer numbers than its shape says, its type is not numeric, or they are in another file, which
/// cannot be read.
pub(super) fn numbers(tensor: &TensorProto, folder: Option<&Path>) -> Result<Array> {
    let shape = shape_of(tensor)?;
    let count = checked_numel(&shape).ok_or_else(|| Error::format(format!("{shape:?} has too many entries")))?;
    let kind = match tensor.data_type {
        1 | 10 | 11 | 16 => Kind::Float,
        2..=7 | 12 | 13 => Kind::Whole,
        9 => Kind::Truth,
        other => return Err(Error::unsupported(format!("numbers of type {other} ({})", type_name(other)))),
    };
    let outside;
    let raw = match tensor.data_location {
        1 => {
            outside = read_outside(tensor, folder)?;
            &outside
        }
        _ => &tensor.raw_data,
    };
    let values = if raw.is_empty() { typed(tensor) } else { from_bytes(raw, tensor.data_type)? };
    if values.len() != count {
        return Err(Error::format(format!("{} numbers where shape {shape:?} needs {count}", values.len())));
    }
    Ok(Array::new(&shape, values, kind))
}

/// The shape of a tensor.
///
/// # Errors
/// It has a negative size.
pub(super) fn shape_of(tensor: &TensorProto) -> Result<Vec<usize>> {
    let shape: Option<Vec<usize>> = tensor.dims.iter().map(|&size| usize::try_from(size).ok()).collect();
    shape.ok_or_else(|| Error::format(format!("{:?} is not a shape", tensor.dims)))
}

/// The names of the types that are not read.
fn type_name(data_type: i32) -> &'static str {
    match data_type {
        8 => "text",
        14 | 15 => "complex numbers",
        17..=20 => "8-bit floats",
        21 | 22 => "4-bit integers",
        _ => "no type that is known here",
    }
}

fn from_bytes(raw: &[u8], data_type: i32) -> Result<Vec<f64>> {
    fn all<const N: usize>(raw: &[u8], read: impl Fn([u8; N]) -> f64) -> Result<Vec<f64>> {
        let (chunks, rest) = raw.as_chunks::<N>();
        match rest {
            [] => Ok(chunks.iter().map(|&bytes| read(bytes)).collect()),
            _ => Err(Error::format(format!("{} bytes are no whole number of {N}-byte numbers", raw.len()))),
        }
    }
    match data_type {
        1 => all(raw, |b| f64::from(f32::from_le_bytes(b))),
        2 | 9 => all(raw, |[b]| f64::from(b)),
        3 => all(raw, |b| f64::from(i8::from_le_bytes(b))),
        4 => all(raw, |b| f64::from(u16::from_le_bytes(b))),
        5 => all(raw, |b| f64::from(i16::from_le_bytes(b))),
        6 => all(raw, |b| f64::from(i32::from_le_bytes(b))),
        7 => all(raw, |b| i64::from_le_bytes(b) as f64),
        10 => all(raw, |b| half(u16::from_le_bytes(b))),
        11 => all(raw, f64::from_le_bytes),
        12 => all(raw, |b| f64::from(u32::from_le_bytes(b))),
        13 => all(raw, |b| u64::from_le_bytes(b) as f64),
        _ => all(raw, |b| bfloat(u16::from_le_bytes(b))),
    }
}

/// The numbers listed one by one; small types are in the list of 32-bit integers.
fn typed(tensor: &TensorProto) -> Vec<f64> {
    let small = |read: fn(i32) -> f64| tensor.int32_data.iter().map(|&x| read(x)).collect();
    match tensor.data_type {
        1 => tensor.float_data.iter().map(|&x| f64::from(x)).collect(),
        7 => tensor.int64_data.iter().map(|&x| x as f64).collect(),
        10 => small(|x| half(x as u16)),
        11 => tensor.double_data.clone(),
        12 | 13 => tensor.uint64_data.iter().map(|&x| x as f64).collect(),
        16 => small(|x| bfloat(x as u16)),
        _ => small(f64::from),
    }
}

/// The bytes of a tensor that lie in another file, in the folder of the model or below it.
fn read_outside(tensor: &TensorProto, folder: Option<&Path>) -> Result<Vec<u8>> {
    let entry = |key: &str| tensor.external_data.iter().find(|entry| entry.key == key).map(|entry| &entry.value[..]);
    let location = entry("location").ok_or_else(|| Error::format("data in another file, whose name is not told"))?;
    let below = Path::new(location).components().all(|part| matches!(part, Component::Normal(_) | Component::CurDir));
    if !below || location.is_empty() {
        return Err(Error::format(format!("data in '{location}', which is not in the folder of the model")));
    }
    let folder = folder.ok_or_else(|| {
        Error::unsupported(format!(
            "the numbers lie in the file '{location}': read the model by its path, not its bytes"
        ))
    })?;
    let path = folder.join(location);
    let number = |key: &str| match entry(key) {
        Some(text) => match text.parse::<u64>() {
            Ok(number) => Ok(Some(number)),
            Err(_) => Err(Error::format(format!("'{text}' is no {key} in the file '{location}'"))),
        },
        None => Ok(None),
    };
    let (offset, length) = (number("offset")?.unwrap_or(0), number("length")?);
    let read = || {
        let (mut file, size) = open(&path)?;
        let rest = size.checked_sub(offset);
        let length = match (rest, length) {
            (Some(rest), None) => rest,
            (Some(rest), Some(length)) if length <= rest => length,
            _ => return Err(Error::format(format!("the file has {size} bytes, too few for what the model reads"))),
        };
        file.seek(SeekFrom::Start(offset))?;
        let mut bytes = Vec::new();
        file.take(length).read_to_end(&mut bytes)?;
        Ok(bytes)
    };
    read().map_err(|error: Error| error.context(path.display()))
}
