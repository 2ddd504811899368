//! `ntk kernel`

use std::path::{Path, PathBuf};
use std::time::Instant;

use serde_json::json;
use tangent_kernels::Gram;
use tangent_kernels::io::{npy, npz, onnx};
use tangent_kernels::kernel::Manifest;
use tangent_kernels::kernel::sink::Sink;
use tangent_kernels::ops::Builtin;
use tangent_kernels::store::{NpyFile, ZarrStore};
use tangent_kernels::{Error, Matrix, Ntk, Outputs, Real, Result, Samples, Session};

use crate::Answer;
use crate::arguments::Kernel;
use crate::compute::{Task, configure, on_device};
use crate::inputs::{SampleFiles, batches, build, network};
use crate::manifest;
use crate::progress::Bar;

/// Kernels of more bytes are written while they are computed. Smaller ones are computed in memory first.
const LARGE: usize = 2 << 30;

/// The format of the output, from its extension.
#[derive(Clone, Copy, PartialEq)]
enum Format {
    Npy,
    Npz,
    Zarr,
}

pub fn run(options: &Kernel) -> Result<Answer> {
    let format = format(&options.out)?;
    if format == Format::Npz && (options.shard.is_some() || options.resume) {
        return Err(Error::unsupported(
            "--shard and --resume do not support .npz files: use --out K.npy or --out K.zarr",
        ));
    }
    prepare_output(options)?;
    on_device(&options.computing, Computation { options, format })
}

fn format(out: &Path) -> Result<Format> {
    match out.extension().and_then(|extension| extension.to_str()) {
        Some("npy") => Ok(Format::Npy),
        Some("npz") => Ok(Format::Npz),
        Some("zarr") => Ok(Format::Zarr),
        _ => Err(Error::name(format!(
            "--out {} has no known format: use a name that ends in .npy, .npz or .zarr",
            out.display()
        ))),
    }
}

/// Rejects an output that exists, before hours are spent. With `--force`, removes it.
fn prepare_output(options: &Kernel) -> Result<()> {
    let out = &options.out;
    if let Some(folder) = out.parent().filter(|folder| !folder.as_os_str().is_empty() && !folder.is_dir()) {
        let (out, folder) = (out.display(), folder.display());
        return Err(Error::io(format!("--out {out}: there is no folder {folder}: create it first")));
    }
    let unfinished = unfinished_files(out);
    if options.force {
        for path in unfinished.iter().chain([out, &manifest::path(options)]) {
            remove(path).map_err(|error| Error::from(error).context(path.display()))?;
        }
    }
    if out.exists() {
        return Err(Error::io(format!("{} exists already: use another name, or --force to replace it", out.display())));
    }
    let continues = options.resume || options.shard.is_some();
    if let Some(path) = unfinished.first().filter(|path| !continues && path.exists()) {
        return Err(Error::io(format!(
            "an unfinished kernel exists at {} ({}): continue it with --resume or the next --shard, or replace it with \
             --force",
            out.display(),
            path.display()
        )));
    }
    if let Some(folder) = &options.components_dir {
        std::fs::create_dir_all(folder).map_err(|error| Error::from(error).context(folder.display()))?;
    }
    Ok(())
}

/// Removes a file or a Zarr store. Other folders are kept.
fn remove(path: &Path) -> std::io::Result<()> {
    match std::fs::symlink_metadata(path) {
        Ok(data) if data.is_dir() && path.join("zarr.json").is_file() => std::fs::remove_dir_all(path),
        Ok(data) if data.is_file() => std::fs::remove_file(path),
        _ => Ok(()),
    }
}

/// The files of an unfinished kernel: its data, its journal and the journals of its shards.
fn unfinished_files(out: &Path) -> Vec<PathBuf> {
    let folder = out.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let Some(name) = out.file_name().map(|name| name.to_string_lossy().into_owned()) else { return Vec::new() };
    let mut paths = Vec::new();
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let file = entry.file_name();
        let suffix = file.to_str().and_then(|file| file.strip_prefix(&name));
        if suffix.is_some_and(|suffix| suffix == ".partial" || suffix.starts_with(".journal")) {
            paths.push(out.with_file_name(file));
        }
    }
    paths.sort();
    paths
}

struct Computation<'a> {
    options: &'a Kernel,
    format: Format,
}

impl Task for Computation<'_> {
    type Output = Answer;

    fn run<B: Gram>(self, arrays: B) -> Result<Answer> {
        let options = self.options;
        let decoded = network(&options.network)?;
        let x = SampleFiles::parse(&options.x).read::<B::Number>(&decoded)?;
        let z = options.z.as_deref().map(|z| SampleFiles::parse(z).read::<B::Number>(&decoded)).transpose()?;
        let built = build(&options.network, decoded, &x)?;
        let x = batches(&built, &x)?;
        let z = z.as_ref().map(|z| batches(&built, z)).transpose()?;
        let session = Session::new(&built.model, arrays)?;
        let bar = Bar::new("kernel");
        let show = |progress| bar.show(progress);
        let start = Instant::now();
        let components = options.components_dir.is_some() || (self.format != Format::Npy && !options.total_only);
        let mut ntk = configure(session.ntk(), &options.computing).components(components).progress(&show);
        if let Some((shard, shards)) = options.shard {
            ntk = ntk.shard(shard, shards);
        }
        let z = z.as_ref().map(|z| z as &dyn Samples<B::Number>);
        let columns = z.map_or(x.samples(), |z| z.samples());
        let shape = kernel_shape(options.computing.mode, built.model.outputs(), x.samples(), columns);
        let entries: usize = shape.iter().fold(1, |product, &size| product.saturating_mul(size));
        let manifest = if self.writes_by_regions(entries.saturating_mul(size_of::<B::Number>())) {
            write_by_regions(&ntk, options, self.format, &x, z)?
        } else {
            write_from_memory(&ntk, options, self.format, &x, z)?
        };
        drop(ntk);
        drop(bar);
        answer(options, &built, &manifest, shape, start.elapsed().as_secs_f64())
    }
}

/// The shape `[blocks, rows, columns]` of a kernel of n by m samples and `count` outputs.
fn kernel_shape(outputs: Outputs, count: usize, n: usize, m: usize) -> [usize; 3] {
    match outputs {
        Outputs::Full => [1, n * count, m * count],
        Outputs::PerOutput => [count, n, m],
        _ => [1, n, m],
    }
}

impl Computation<'_> {
    /// Whether a kernel of this number of bytes is written to disk while it is computed.
    fn writes_by_regions(&self, bytes: usize) -> bool {
        let Kernel { shard, resume, computing, components_dir, .. } = self.options;
        match self.format {
            Format::Zarr => true,
            Format::Npz => false,
            Format::Npy => {
                let requested = shard.is_some() || *resume || computing.memory.is_some();
                requested || (bytes > LARGE && components_dir.is_none())
            }
        }
    }
}

/// Computes the kernel in memory and writes it afterwards.
fn write_from_memory<B: Gram>(
    ntk: &Ntk<'_, B, Builtin>,
    options: &Kernel,
    format: Format,
    x: &dyn Samples<B::Number>,
    z: Option<&dyn Samples<B::Number>>,
) -> Result<Manifest> {
    let kernel = match z {
        Some(z) => ntk.between(x, z)?,
        None => ntk.compute(x)?,
    };
    if let Some(folder) = &options.components_dir {
        for (name, component) in kernel.components() {
            npy::write(folder.join(format!("{}.npy", file_name(name))), &axes(component), component.as_slice())?;
        }
    }
    let total = kernel.total();
    if format == Format::Npz {
        let shape = axes(total);
        let mut entries: Vec<npz::Entry<'_, B::Number>> = vec![("total", &shape, total.as_slice())];
        if !options.total_only {
            let components = kernel.components().iter();
            entries.extend(components.map(|(name, matrix)| (name.as_str(), &shape[..], matrix.as_slice())));
        }
        npz::write(&options.out, &entries)?;
    } else {
        npy::write(&options.out, &axes(total), total.as_slice())?;
    }
    kernel.manifest().cloned().ok_or_else(|| Error::unsupported("the computed kernel has no manifest"))
}

/// Computes and writes the kernel region by region, with a journal.
fn write_by_regions<B: Gram>(
    ntk: &Ntk<'_, B, Builtin>,
    options: &Kernel,
    format: Format,
    x: &dyn Samples<B::Number>,
    z: Option<&dyn Samples<B::Number>>,
) -> Result<Manifest> {
    if let (Some(folder), Format::Npy) = (&options.components_dir, format) {
        return Err(Error::unsupported(format!(
            "--components-dir {} does not work with --shard, --resume or --memory: use --out K.zarr, which contains all \
             components",
            folder.display()
        )));
    }
    if let (Some(_), Format::Zarr) = (&options.components_dir, format) {
        return Err(Error::unsupported("--out K.zarr contains all components already: remove --components-dir"));
    }
    match format {
        Format::Zarr => fill(ntk, x, z, ZarrStore::new(&options.out)),
        _ => fill(ntk, x, z, NpyFile::new(&options.out)),
    }
}

fn fill<B: Gram>(
    ntk: &Ntk<'_, B, Builtin>,
    x: &dyn Samples<B::Number>,
    z: Option<&dyn Samples<B::Number>>,
    mut sink: impl Sink<B::Number>,
) -> Result<Manifest> {
    match z {
        Some(z) => ntk.fill_between(x, z, &mut sink),
        None => ntk.fill(x, &mut sink),
    }
}

/// The shape for a file: `[rows, columns]`, or `[blocks, rows, columns]` if there are several blocks.
fn axes<R: Real>(matrix: &Matrix<R>) -> Vec<usize> {
    if matrix.blocks() == 1 { matrix.shape()[1..].to_vec() } else { matrix.shape().to_vec() }
}

/// The file name of a parameter: its name with special characters percent-encoded.
fn file_name(name: &str) -> String {
    let mut safe = String::new();
    for character in name.chars() {
        if character.is_control() || "/\\:%*?\"<>|".contains(character) {
            safe += &format!("%{:02X}", u32::from(character));
        } else {
            safe.push(character);
        }
    }
    safe
}

fn answer(
    options: &Kernel,
    built: &onnx::Built,
    manifest: &Manifest,
    shape: [usize; 3],
    seconds: f64,
) -> Result<Answer> {
    let description = manifest::describe(options, built, manifest, shape, seconds)?;
    manifest::write(options, &description)?;
    let out = options.out.display();
    let [blocks, rows, columns] = shape;
    let blocks = if blocks == 1 { String::new() } else { format!("{blocks} matrices of ") };
    let mut text = match options.shard.filter(|_| !options.out.exists()) {
        Some((shard, shards)) => {
            let shard = shard + 1;
            format!(
                "{out}: shard {shard} of {shards} is done, {seconds:.3} s; after the last shard run: ntk merge {out}"
            )
        }
        None => format!("{out}: {blocks}{rows} x {columns}, {seconds:.3} s"),
    };
    if let Some(folder) = &options.components_dir {
        text += &format!("; components in {}", folder.display());
    }
    Ok(Answer { text, json: json!({ "kernel": description }), good: true })
}
