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

/// Decodes the network of the command line, and selects its outputs and parameters.
pub fn network(options: &Network) -> Result<onnx::Network> {
    let network = onnx::Network::read(&options.network)?;
    configured(network, options).map_err(|error| error.context(options.network.display()))
}

fn configured(network: onnx::Network, options: &Network) -> Result<onnx::Network> {
    let mut network = network.trainable(&options.trainable).fixed(&options.fixed);
    if let Some(path) = &options.params_from {
        network = network.parameters_listed(&listed(path)?);
    }
    if options.unbatched {
        network = network.unbatched();
    }
    for (name, axis) in &options.batch_axis {
        network = network.batch_axis(name, *axis)?;
    }
    for (name, value) in &options.constant {
        network = network.constant(name, *value)?;
    }
    match &options.outputs[..] {
        [] => Ok(network),
        names => network.choose(names),
    }
}

/// The names in a list of parameters: the lines of a text file, or the tensors of a safetensors file.
fn listed(path: &Path) -> Result<Vec<String>> {
    let bytes = std::fs::read(path).map_err(|error| Error::from(error).context(path.display()))?;
    let names = if path.extension().is_some_and(|extension| extension == "safetensors") {
        tensor_names(&bytes).ok_or("not a safetensors file")
    } else {
        lines(bytes).ok_or("not a text file with one name per line")
    };
    names.map_err(|reason| Error::format(reason).context(path.display()))
}

fn lines(bytes: Vec<u8>) -> Option<Vec<String>> {
    let text = String::from_utf8(bytes).ok()?;
    Some(text.lines().map(str::trim).filter(|line| !line.is_empty()).map(String::from).collect())
}

/// The names in the header of a safetensors file, a JSON object that follows its length.
fn tensor_names(bytes: &[u8]) -> Option<Vec<String>> {
    let (length, rest) = bytes.split_first_chunk()?;
    let header = rest.get(..usize::try_from(u64::from_le_bytes(*length)).ok()?)?;
    let header: serde_json::Map<String, Value> = serde_json::from_slice(header).ok()?;
    Some(header.keys().filter(|key| *key != "__metadata__").cloned().collect())
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
            let axis = network.inputs().iter().find(|port| port.name == input).and_then(|port| port.batch_axis);
            arrays.push(Array::read(input, &file.path, axis.unwrap_or(0))?);
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
    /// Reads an array with the samples along an axis, and moves that axis to the front.
    fn read(input: String, path: &Path, axis: usize) -> Result<Self> {
        let (shape, data) = npy::read_numbers(path)?;
        let (shape, data) = if axis < shape.len() { batch_first(&shape, data, axis) } else { (shape, data) };
        if shape.is_empty() || shape[0] == 0 {
            let path = path.display();
            return Err(Error::shape(format!("{path}: an array of shape {shape:?} contains no samples")));
        }
        Ok(Array { input, path: path.to_owned(), shape, data })
    }
}

/// An array with its axis `axis` as the first one.
fn batch_first<R: Copy>(shape: &[usize], data: Vec<R>, axis: usize) -> (Vec<usize>, Vec<R>) {
    let outer: usize = shape[..axis].iter().product();
    let inner: usize = shape[axis + 1..].iter().product();
    let count = shape[axis];
    let mut moved = Vec::with_capacity(data.len());
    for n in 0..count {
        for k in 0..outer {
            let start = (k * count + n) * inner;
            moved.extend_from_slice(&data[start..start + inner]);
        }
    }
    let others = (0..shape.len()).filter(|&k| k != axis).map(|k| shape[k]);
    (std::iter::once(count).chain(others).collect(), moved)
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
