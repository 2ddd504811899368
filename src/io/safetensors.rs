//! Parameters by name, from and to safetensors files.

use std::collections::BTreeMap;
use std::path::Path;

use safetensors::tensor::{Dtype, SafeTensors, TensorView, serialize};

use super::atomic;
use crate::error::{Error, Result};
use crate::model::Model;
use crate::ops::Op;
use crate::real::Real;

/// An array of a safetensors file: its shape and its entries, row-major.
pub(crate) type Array = (Vec<usize>, Vec<f64>);

/// Gives every parameter and buffer of `model` the values of the tensor of its name in the file at `path`, and returns the names
/// in the file that are none of them. If anything is wrong, no parameter is changed.
///
/// Tensors are of type F32 or F64; both are held exactly.
///
/// # Errors
/// The file cannot be read or is not of the form; a parameter's tensor is missing, of another shape or type, or holds a
/// number that is NaN or infinite. The message names the file and the tensor.
pub fn load<O: Op>(path: impl AsRef<Path>, model: &mut Model<O>) -> Result<Vec<String>> {
    let path = path.as_ref();
    let here = |error: Error| error.context(path.display());
    let bytes = std::fs::read(path).map_err(|error| here(error.into()))?;
    let tensors = deserialize(&bytes).map_err(here)?;
    let mut loaded = model.clone();
    for info in model.parameters().iter().chain(model.buffers()) {
        let (shape, values) = array(&tensors, &info.name).map_err(here)?;
        loaded.set(&info.name, &shape, values).map_err(here)?;
    }
    *model = loaded;
    let mut others: Vec<String> = tensors.names().into_iter().map(String::from).collect();
    let own = model.parameters().iter().chain(model.buffers());
    others.retain(|name| own.clone().all(|info| info.name != *name));
    others.sort();
    Ok(others)
}

/// Writes every parameter and buffer of `model` under its name to a file at `path`, in the precision `R`. The file appears when it
/// is whole.
///
/// # Errors
/// A parameter has no values, or the file cannot be written.
pub fn save<R: Real, O: Op>(path: impl AsRef<Path>, model: &Model<O>) -> Result<()> {
    let dtype = if R::NAME == "f32" { Dtype::F32 } else { Dtype::F64 };
    let mut bytes = Vec::new();
    for (info, values) in model.valued_parameters()?.into_iter().chain(model.valued_buffers()?) {
        let numbers: Vec<R> = values.iter().map(|&x| R::from_f64(x)).collect();
        // Little endian, as the format wants it and all machines are that we know of that run this.
        bytes.push((info, bytemuck::cast_slice::<R, u8>(&numbers).to_vec()));
    }
    let views: Result<BTreeMap<&str, TensorView<'_>>> = bytes
        .iter()
        .map(|(info, bytes)| {
            let view = TensorView::new(dtype, info.shape.clone(), bytes).map_err(|e| Error::format(e.to_string()))?;
            Ok((info.name.as_str(), view))
        })
        .collect();
    let file = serialize(views?, None).map_err(|error| Error::format(error.to_string()))?;
    atomic::write(path.as_ref(), |out| Ok(std::io::Write::write_all(out, &file)?))
}

pub(crate) fn deserialize(bytes: &[u8]) -> Result<SafeTensors<'_>> {
    SafeTensors::deserialize(bytes).map_err(|error| Error::format(format!("no safetensors file: {error}")))
}

/// The tensor `name`, F32 or F64.
pub(crate) fn array(tensors: &SafeTensors<'_>, name: &str) -> Result<Array> {
    let tensor = tensors.tensor(name).map_err(|_| {
        let mut names = tensors.names();
        names.sort();
        Error::name(format!("there is no tensor '{name}'; there are {}", names.join(", ")))
    })?;
    let values: Vec<f64> = match tensor.dtype() {
        Dtype::F32 => numbers(tensor.data(), f32::from_le_bytes).map(f64::from).collect(),
        Dtype::F64 => numbers(tensor.data(), f64::from_le_bytes).collect(),
        other => {
            return Err(Error::format(format!("tensor '{name}' is of type {other:?}, where F32 or F64 is needed")));
        }
    };
    Ok((tensor.shape().to_vec(), values))
}

fn numbers<T, const N: usize>(bytes: &[u8], read: fn([u8; N]) -> T) -> impl Iterator<Item = T> {
    bytes.as_chunks::<N>().0.iter().map(move |&chunk| read(chunk))
}
