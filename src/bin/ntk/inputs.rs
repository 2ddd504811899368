//! Reading a network and its samples from files.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use tangent_kernels::io::{npy, onnx};
use tangent_kernels::{Batch, Error, Real, Result};
use xxhash_rust::xxh3::Xxh3;

use crate::arguments::Network;
use crate::terminal::escape_text;

/// The number of bytes that are hashed at once.
const HASHED_AT_ONCE: usize = 1 << 20;

/// Decodes the network of the command line and selects its outputs.
pub fn network(options: &Network) -> Result<onnx::Network> {
    let network = onnx::Network::read(&options.network)?.trainable(&options.trainable);
    match &options.outputs[..] {
        [] => Ok(network),
        names => network.choose(names).map_err(|error| error.context(options.network.display())),
    }
}

/// The files of the samples: one per network input.
pub struct SampleFiles {
    files: Vec<SampleFile>,
}

struct SampleFile {
    /// `None` if the command line names a file but no input.
    input: Option<String>,
    path: PathBuf,
}

impl SampleFiles {
    /// Parses `x.npy`, or `ids=ids.npy,mask=mask.npy`.
    pub fn parse(text: &str) -> Self {
        // An existing file is one file, even if its name contains a comma or an equals sign.
        let named = if Path::new(text).exists() { None } else { text.split(',').map(named_file).collect() };
        SampleFiles { files: named.unwrap_or_else(|| vec![SampleFile { input: None, path: text.into() }]) }
    }

    pub fn paths(&self) -> impl Iterator<Item = &Path> {
        self.files.iter().map(|file| file.path.as_path())
    }

    /// Reads the files. Every array is assigned to an input of `network`.
    ///
    /// # Errors
    /// A file cannot be read, names an unknown input, or has another number of samples than the others.
    pub fn read<R: Real>(&self, network: &onnx::Network) -> Result<Vec<Array<R>>> {
        let names: Vec<&str> = network.inputs().iter().map(|port| port.name.as_str()).collect();
        let mut arrays: Vec<Array<R>> = Vec::new();
        for file in &self.files {
            let input = find_input(file.input.as_deref(), &names)?;
            if arrays.iter().any(|array| array.input == input) {
                return Err(Error::name(format!("input '{input}' has two files: give it one")));
            }
            arrays.push(Array::read(input, &file.path)?);
        }
        if let Some(other) = arrays.iter().find(|array| array.samples() != arrays[0].samples()) {
            let first = &arrays[0];
            return Err(Error::shape(format!(
                "all inputs need the same number of samples, but {} has {} and {} has {}",
                first.path.display(),
                first.samples(),
                other.path.display(),
                other.samples()
            )));
        }
        Ok(arrays)
    }
}

/// Parses `NAME=FILE`.
fn named_file(text: &str) -> Option<SampleFile> {
    let (name, path) = text.split_once('=')?;
    Some(SampleFile { input: Some(name.to_string()), path: path.into() })
}

/// Finds the input that a file belongs to. A file without a name belongs to the only input.
fn find_input(name: Option<&str>, inputs: &[&str]) -> Result<String> {
    match name {
        None if inputs.len() == 1 => Ok(inputs[0].to_string()),
        None => {
            let files: Vec<String> = inputs.iter().map(|name| format!("{name}={name}.npy")).collect();
            let (names, files) = (inputs.join(", "), files.join(","));
            Err(Error::name(format!("the network has the inputs {names}: give each a file, such as {files}")))
        }
        Some(name) if inputs.contains(&name) => Ok(name.to_string()),
        Some(name) => {
            let names = inputs.join(", ");
            Err(Error::name(format!("the network has no input '{name}': its inputs are {names}")))
        }
    }
}

/// The samples of one input.
pub struct Array<R> {
    input: String,
    path: PathBuf,
    shape: Vec<usize>,
    data: Vec<R>,
}

impl<R> Array<R> {
    pub fn samples(&self) -> usize {
        self.shape[0]
    }
}

impl<R: Real> Array<R> {
    fn read(input: String, path: &Path) -> Result<Self> {
        let (shape, data) = npy::read_numbers(path)?;
        if shape.is_empty() || shape[0] == 0 {
            let path = path.display();
            return Err(Error::shape(format!("{path}: an array of shape {shape:?} contains no samples")));
        }
        Ok(Array { input, path: path.to_owned(), shape, data })
    }
}

/// Builds the network for samples of these shapes and prints its warnings.
///
/// # Errors
/// The shapes do not match the network, or the network cannot be built.
pub fn build<R: Real>(options: &Network, network: onnx::Network, arrays: &[Array<R>]) -> Result<onnx::Built> {
    let shaped = arrays.iter().try_fold(network, |network, array| {
        network.sample_shape(&array.input, &array.shape[1..]).map_err(|error| error.context(array.path.display()))
    })?;
    let built = shaped.build().map_err(|error| error.context(options.network.display()))?;
    for warning in &built.warnings {
        eprintln!("ntk: warning: {}", escape_text(warning));
    }
    Ok(built)
}

/// The arrays in the order of the model's inputs.
///
/// # Errors
/// An input has no array.
pub fn batches<'a, R: Real>(built: &onnx::Built, arrays: &'a [Array<R>]) -> Result<Vec<Batch<'a, R>>> {
    built.inputs.iter().map(|name| batch(name, arrays)).collect()
}

fn batch<'a, R: Real>(input: &str, arrays: &'a [Array<R>]) -> Result<Batch<'a, R>> {
    let array = arrays.iter().find(|array| array.input == input);
    let array = array.ok_or_else(|| Error::name(format!("input '{input}' is missing: add {input}=FILE.npy")))?;
    Batch::new(&array.data, &array.shape)
}

/// The name, length and hash of a file, for the manifest.
///
/// # Errors
/// The file cannot be read.
pub fn describe_file(path: &Path) -> Result<Value> {
    let in_file = |error: std::io::Error| Error::from(error).context(path.display());
    let mut file = File::open(path).map_err(in_file)?;
    let mut hash = Xxh3::new();
    let mut bytes = 0u64;
    let mut buffer = vec![0; HASHED_AT_ONCE];
    loop {
        let count = file.read(&mut buffer).map_err(in_file)?;
        if count == 0 {
            break;
        }
        hash.update(&buffer[..count]);
        bytes += count as u64;
    }
    Ok(json!({ "file": path.display().to_string(), "bytes": bytes, "xxh3": format!("{:032x}", hash.digest128()) }))
}
