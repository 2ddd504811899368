//! A network and the samples that it is run on, from their files.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use tangent_kernels::io::{npy, onnx};
use tangent_kernels::{Batch, Error, Real, Result};
use xxhash_rust::xxh3::Xxh3;

use crate::arguments::Network;

/// The network of the command line, decoded.
pub fn network(options: &Network) -> Result<onnx::Network> {
    let network = onnx::Network::read(&options.network)?.also(&options.trainable);
    match &options.outputs[..] {
        [] => Ok(network),
        heads => network.choose(heads).map_err(|error| error.context(options.network.display())),
    }
}

/// Samples in files, one for each input that they name.
pub struct Files {
    /// No name if there is only one.
    list: Vec<(Option<String>, PathBuf)>,
}

impl Files {
    /// `x.npy`, or `ids=ids.npy,mask=mask.npy`.
    pub fn of(word: &str) -> Self {
        let named = |part: &str| part.split_once('=').map(|(name, file)| (Some(name.to_string()), PathBuf::from(file)));
        // A file whose own name has a comma or such in it is still one file.
        let parts: Option<Vec<_>> = if Path::new(word).exists() { None } else { word.split(',').map(named).collect() };
        Files { list: parts.unwrap_or_else(|| vec![(None, word.into())]) }
    }

    pub fn paths(&self) -> impl Iterator<Item = &Path> {
        self.list.iter().map(|(_, path)| path.as_path())
    }

    /// The arrays for the inputs of `network`, in its order.
    ///
    /// # Errors
    /// A file cannot be read, or is of no input, or an input has no file.
    pub fn read<R: Real>(&self, network: &onnx::Network) -> Result<Vec<Array<R>>> {
        let names: Vec<&str> = network.inputs().iter().map(|port| port.name.as_str()).collect();
        let place = |name: &Option<String>| match name {
            None if names.len() == 1 => Ok(names[0].to_string()),
            None => Err(Error::name(format!(
                "the network has the inputs {}: give each its file, {}",
                names.join(", "),
                names.iter().map(|name| format!("{name}={name}.npy")).collect::<Vec<_>>().join(",")
            ))),
            Some(name) if names.contains(&name.as_str()) => Ok(name.clone()),
            Some(name) => Err(Error::name(format!("there is no input '{name}'; there are {}", names.join(", ")))),
        };
        let mut arrays: Vec<Array<R>> = Vec::new();
        for (name, path) in &self.list {
            let name = place(name)?;
            if arrays.iter().any(|array| array.input == name) {
                return Err(Error::name(format!("input '{name}' is given twice")));
            }
            let (shape, data) = npy::read_numbers(path)?;
            if shape.is_empty() || shape[0] == 0 {
                return Err(Error::shape(format!("{}: an array of shape {shape:?} has no samples", path.display())));
            }
            arrays.push(Array { input: name, path: path.clone(), shape, data });
        }
        if let Some(other) = arrays.iter().find(|array| array.shape[0] != arrays[0].shape[0]) {
            let (one, two) = (&arrays[0], other);
            return Err(Error::shape(format!(
                "{} has {} samples, but {} has {}",
                one.path.display(),
                one.shape[0],
                two.path.display(),
                two.shape[0]
            )));
        }
        Ok(arrays)
    }
}

/// The samples of an input.
pub struct Array<R> {
    input: String,
    path: PathBuf,
    shape: Vec<usize>,
    data: Vec<R>,
}

/// The network, built for samples of these shapes.
///
/// # Errors
/// They do not fit the network, or it cannot be built.
pub fn build<R: Real>(options: &Network, network: onnx::Network, arrays: &[Array<R>]) -> Result<onnx::Built> {
    let fitted = arrays.iter().try_fold(network, |network, array| {
        network.sample_shape(&array.input, &array.shape[1..]).map_err(|error| error.context(array.path.display()))
    })?;
    let built = fitted.build().map_err(|error| error.context(options.network.display()))?;
    built.warnings.iter().for_each(|warning| eprintln!("ntk: warning: {warning}"));
    Ok(built)
}

/// The arrays as the model takes them.
///
/// # Errors
/// An input has none.
pub fn batches<'a, R: Real>(built: &onnx::Built, arrays: &'a [Array<R>]) -> Result<Vec<Batch<'a, R>>> {
    let of = |name: &String| {
        let array = arrays.iter().find(|array| array.input == *name);
        let array = array.ok_or_else(|| Error::name(format!("input '{name}' is missing: add {name}=FILE.npy")))?;
        Batch::new(&array.data, &array.shape)
    };
    built.inputs.iter().map(of).collect()
}

/// What tells a file: its name, length, and hash.
///
/// # Errors
/// It cannot be read.
pub fn told(path: &Path) -> Result<Value> {
    let here = |error: std::io::Error| Error::from(error).context(path.display());
    let mut file = File::open(path).map_err(here)?;
    let (mut hash, mut bytes, mut buffer) = (Xxh3::new(), 0u64, vec![0; 1 << 20]);
    loop {
        let read = file.read(&mut buffer).map_err(here)?;
        if read == 0 {
            break;
        }
        hash.update(&buffer[..read]);
        bytes += read as u64;
    }
    Ok(json!({ "file": path.display().to_string(), "bytes": bytes, "xxh3": format!("{:032x}", hash.digest128()) }))
}

impl<R> Array<R> {
    pub fn samples(&self) -> usize {
        self.shape[0]
    }
}
