//! Parameters by name, from and to safetensors files.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;

use safetensors::tensor::{Dtype, SafeTensors, TensorView, serialize};

use super::atomic;
use crate::error::{Error, Result};
use crate::model::Model;
use crate::ops::Op;
use crate::real::Real;

/// An array of a safetensors file: its shape and its entries, row-major.
pub(crate) type Array = (Vec<usize>, Vec<f64>);

/// Sets every parameter and buffer of `model` to the tensor of the same name in the file at `path`.
///
/// Returns the names of all other tensors in the file. After an error, no parameter is changed. Tensors have the type F32
/// or F64, and both are stored exactly.
///
/// # Errors
/// The file cannot be read or is not a safetensors file. A parameter's tensor is missing, has another shape or type, or
/// contains an invalid number (NaN or infinite). The message names the file and the tensor.
pub fn load<O: Op>(path: impl AsRef<Path>, model: &mut Model<O>) -> Result<Vec<String>> {
    let path = path.as_ref();
    let in_file = |error: Error| error.context(path.display());
    let bytes = std::fs::read(path).map_err(|error| in_file(error.into()))?;
    let tensors = deserialize(&bytes).map_err(in_file)?;
    let mut loaded = model.clone();
    for info in model.parameters().iter().chain(model.buffers()) {
        let (shape, values) = array(&tensors, &info.name).map_err(in_file)?;
        loaded.set(&info.name, &shape, values).map_err(in_file)?;
    }
    *model = loaded;
    let mut others: Vec<String> = tensors.names().into_iter().map(String::from).collect();
    let infos = model.parameters().iter().chain(model.buffers());
    others.retain(|name| infos.clone().all(|info| info.name != *name));
    others.sort();
    Ok(others)
}

/// Writes every parameter and buffer of `model` under its name to a file at `path`, in the precision `R`.
///
/// The file appears when it is complete.
///
/// # Errors
/// A parameter has no values, or the file cannot be written.
pub fn save<R: Real, O: Op>(path: impl AsRef<Path>, model: &Model<O>) -> Result<()> {
    let dtype = if R::NAME == "f32" { Dtype::F32 } else { Dtype::F64 };
    let mut bytes = Vec::new();
    for (info, values) in model.valued_parameters()?.into_iter().chain(model.valued_buffers()?) {
        let numbers: Vec<R> = values.iter().map(|&x| R::from_f64(x)).collect();
        // The format is little endian, and so are all supported machines.
        bytes.push((info, bytemuck::cast_slice::<R, u8>(&numbers).to_vec()));
    }
    let mut views: BTreeMap<&str, TensorView<'_>> = BTreeMap::new();
    for (info, bytes) in &bytes {
        views.insert(&info.name, TensorView::new(dtype, info.shape.clone(), bytes).map_err(format_error)?);
    }
    let file = serialize(views, None).map_err(format_error)?;
    atomic::write(path.as_ref(), |out| Ok(out.write_all(&file)?))
}

fn format_error(error: safetensors::SafeTensorError) -> Error {
    Error::format(error.to_string())
}

pub(crate) fn deserialize(bytes: &[u8]) -> Result<SafeTensors<'_>> {
    SafeTensors::deserialize(bytes)
        .map_err(|error| Error::format(format!("the file is not a valid safetensors file: {error}")))
}

/// The tensor `name`, of type F32 or F64.
pub(crate) fn array(tensors: &SafeTensors<'_>, name: &str) -> Result<Array> {
    let tensor = tensors.tensor(name).map_err(|_| {
        let mut names = tensors.names();
        names.sort();
        Error::name(format!("the file has no tensor '{name}': its tensors are {}", names.join(", ")))
    })?;
    let values: Vec<f64> = match tensor.dtype() {
        Dtype::F32 => numbers(tensor.data(), f32::from_le_bytes).map(f64::from).collect(),
        Dtype::F64 => numbers(tensor.data(), f64::from_le_bytes).collect(),
        other => {
            return Err(Error::format(format!("tensor '{name}' has the type {other:?}, but F32 or F64 is needed")));
        }
    };
    Ok((tensor.shape().to_vec(), values))
}

fn numbers<T, const N: usize>(bytes: &[u8], read: fn([u8; N]) -> T) -> impl Iterator<Item = T> {
    bytes.as_chunks::<N>().0.iter().map(move |&chunk| read(chunk))
}
