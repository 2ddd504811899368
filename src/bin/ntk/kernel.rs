//! `ntk kernel`

use std::path::{Path, PathBuf};
use std::time::Instant;

use serde_json::json;
use tangent_kernels::backend::Gram;
use tangent_kernels::io::{npy, npz, onnx};
use tangent_kernels::kernel::Manifest;
use tangent_kernels::kernel::sink::Sink;
use tangent_kernels::ops::Builtin;
use tangent_kernels::store::{NpyFile, ZarrStore};
use tangent_kernels::{Error, Matrix, Ntk, Outputs, Real, Result, Samples, Session};

use crate::Answer;
use crate::arguments::Kernel;
use crate::compute::{Task, asked, on_device};
use crate::inputs::{Files, batches, build, network};
use crate::manifest;
use crate::progress::Bar;

/// Kernels of more bytes are written while they are computed, not held.
const LARGE: usize = 2 << 30;

/// What the ending of the output says.
#[derive(Clone, Copy, PartialEq)]
enum Format {
    Npy,
    Npz,
    Zarr,
}

pub fn run(options: &Kernel) -> Result<Answer> {
    let format = format(&options.out)?;
    if format == Format::Npz && (options.shard.is_some() || options.resume) {
        return Err(Error::unsupported("--shard and --resume need --out K.npy or K.zarr: a .npz is written at once"));
    }
    make_room(options)?;
    on_device(&options.computing, Computation { options, format })
}

fn format(out: &Path) -> Result<Format> {
    match out.extension().and_then(|extension| extension.to_str()) {
        Some("npy") => Ok(Format::Npy),
        Some("npz") => Ok(Format::Npz),
        Some("zarr") => Ok(Format::Zarr),
        _ => Err(Error::name(format!("--out {}: it must end in .npy, .npz or .zarr", out.display()))),
    }
}

/// Refuses to write over anything that was not said to be replaced, before hours are spent.
fn make_room(options: &Kernel) -> Result<()> {
    let out = &options.out;
    if let Some(folder) = out.parent().filter(|folder| !folder.as_os_str().is_empty() && !folder.is_dir()) {
        return Err(Error::io(format!("--out {}: there is no folder {}", out.display(), folder.display())));
    }
    let begun = begun(out);
    if options.force {
        for path in begun.iter().chain([out, &manifest::path(options)]) {
            let removed = match std::fs::symlink_metadata(path) {
                Ok(there) if there.is_dir() && path.join("zarr.json").is_file() => std::fs::remove_dir_all(path),
                Ok(there) if there.is_file() => std::fs::remove_file(path),
                _ => Ok(()),
            };
            removed.map_err(|error| Error::from(error).context(path.display()))?;
        }
    }
    if out.exists() {
        return Err(Error::io(format!("{} is there already: --force replaces it", out.display())));
    }
    if let Some(path) = begun.first().filter(|path| !options.resume && options.shard.is_none() && path.exists()) {
        return Err(Error::io(format!(
            "{} was begun ({} is there): --resume or the next --shard goes on with it, --force begins anew",
            out.display(),
            path.display()
        )));
    }
    if let Some(folder) = &options.components_dir {
        std::fs::create_dir_all(folder).map_err(|error| Error::from(error).context(folder.display()))?;
    }
    Ok(())
}

/// What a kernel that is not finished has left beside `out`: its data, and the journals of it and of its shares.
fn begun(out: &Path) -> Vec<PathBuf> {
    let folder = out.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let Some(name) = out.file_name().map(|name| name.to_string_lossy().into_owned()) else { return Vec::new() };
    let left =
        |file: &str| file.strip_prefix(&name).is_some_and(|rest| rest == ".partial" || rest.starts_with(".journal"));
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let names = entries.map(|entry| entry.file_name()).filter(|name| name.to_str().is_some_and(left));
    let paths = names.map(|name| out.with_file_name(name));
    let mut paths: Vec<PathBuf> = paths.collect();
    paths.sort();
    paths
}

struct Computation<'a> {
    options: &'a Kernel,
    format: Format,
}

impl Task for Computation<'_> {
    type Done = Answer;

    fn on<B: Gram>(self, arrays: B) -> Result<Answer> {
        let options = self.options;
        let decoded = network(&options.network)?;
        let x = Files::of(&options.x).read::<B::Number>(&decoded)?;
        let z = options.z.as_deref().map(|z| Files::of(z).read::<B::Number>(&decoded)).transpose()?;
        let built = build(&options.network, decoded, &x)?;
        let x = batches(&built, &x)?;
        let z = z.as_ref().map(|z| batches(&built, z)).transpose()?;
        let session = Session::new(&built.model, arrays)?;
        let bar = Bar::new("kernel");
        let show = |progress| bar.show(progress);
        let start = Instant::now();
        let components = options.components_dir.is_some() || (self.format != Format::Npy && !options.total_only);
        let ntk = asked(session.ntk(), &options.computing).components(components).progress(&show);
        let ntk = match options.shard {
            Some((part, parts)) => ntk.shard(part, parts),
            None => ntk,
        };
        let z = z.as_ref().map(|z| z as &dyn Samples<B::Number>);
        let shape = extent(options.computing.mode, built.model.outputs(), x.samples(), z.map(|z| z.samples()));
        let entries: usize = shape.iter().fold(1, |product, &size| product.saturating_mul(size));
        let manifest = match self.streams(entries.saturating_mul(size_of::<B::Number>())) {
            true => stream(&ntk, options, self.format, &x, z)?,
            false => hold(&ntk, options, self.format, &x, z)?,
        };
        drop(ntk);
        drop(bar);
        answer(options, &built, &manifest, shape, start.elapsed().as_secs_f64())
    }
}

/// \[blocks, rows, columns\] of a kernel of n samples, or of n by m.
fn extent(outputs: Outputs, count: usize, n: usize, m: Option<usize>) -> [usize; 3] {
    let (blocks, inner) = match outputs {
        Outputs::Full => (1, count),
        Outputs::PerOutput => (count, 1),
        _ => (1, 1),
    };
    [blocks, n * inner, m.unwrap_or(n) * inner]
}

impl Computation<'_> {
    /// Whether a kernel of so many bytes goes to the disk while it is computed.
    fn streams(&self, bytes: usize) -> bool {
        let Kernel { shard, resume, computing, components_dir, .. } = self.options;
        match self.format {
            Format::Zarr => true,
            Format::Npz => false,
            Format::Npy => {
                let asked = shard.is_some() || *resume || computing.memory.is_some();
                asked || (bytes > LARGE && components_dir.is_none())
            }
        }
    }
}

/// In memory, then to the disk.
fn hold<B: Gram>(
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
    for (name, component) in kernel.components().iter().filter(|_| options.components_dir.is_some()) {
        let folder = options.components_dir.as_ref().expect("it was asked for");
        npy::write(folder.join(format!("{}.npy", file_name(name))), &axes(component), component.as_slice())?;
    }
    let total = kernel.total();
    match format {
        Format::Npz => {
            let shape = axes(total);
            let components = kernel.components().iter().map(|(name, matrix)| (name.as_str(), matrix));
            let all = std::iter::once(("total", total)).chain(components.filter(|_| !options.total_only));
            let entries: Vec<npz::Entry<'_, B::Number>> =
                all.map(|(name, matrix)| (name, &shape[..], matrix.as_slice())).collect();
            npz::write(&options.out, &entries)?;
        }
        _ => npy::write(&options.out, &axes(total), total.as_slice())?,
    }
    kernel.manifest().cloned().ok_or_else(|| Error::unsupported("a kernel without a manifest"))
}

/// Region by region, with a journal.
fn stream<B: Gram>(
    ntk: &Ntk<'_, B, Builtin>,
    options: &Kernel,
    format: Format,
    x: &dyn Samples<B::Number>,
    z: Option<&dyn Samples<B::Number>>,
) -> Result<Manifest> {
    if let (Some(folder), Format::Npy) = (&options.components_dir, format) {
        return Err(Error::unsupported(format!(
            "--components-dir {} needs a kernel that is held in memory, without --shard, --resume and --memory; --out K.zarr has \
             all components without it",
            folder.display()
        )));
    }
    if let (Some(_), Format::Zarr) = (&options.components_dir, format) {
        return Err(Error::unsupported("--components-dir is not needed with --out K.zarr, which has all components"));
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

/// \[rows, columns\], or \[blocks, rows, columns\].
fn axes<R: Real>(matrix: &Matrix<R>) -> Vec<usize> {
    if matrix.blocks() == 1 { matrix.shape()[1..].to_vec() } else { matrix.shape().to_vec() }
}

/// A parameter's name as that of a file.
fn file_name(name: &str) -> String {
    let safe = |c: char| match c {
        '/' | '\\' | ':' | '%' | '*' | '?' | '"' | '<' | '>' | '|' => format!("%{:02X}", c as u32),
        c if c.is_control() => format!("%{:02X}", c as u32),
        c => c.to_string(),
    };
    name.chars().map(safe).collect()
}

fn answer(
    options: &Kernel,
    built: &onnx::Built,
    manifest: &Manifest,
    shape: [usize; 3],
    seconds: f64,
) -> Result<Answer> {
    let described = manifest::describe(options, built, manifest, shape, seconds)?;
    manifest::write(options, &described)?;
    let out = options.out.display();
    let [blocks, rows, columns] = shape;
    let blocks = if blocks == 1 { String::new() } else { format!("{blocks} matrices of ") };
    let mut text = format!("{out}: {blocks}{rows} x {columns}, {seconds:.3} s");
    if let Some((part, parts)) = options.shard.filter(|_| !options.out.exists()) {
        text = format!(
            "{out}: share {} of {parts} is there, {seconds:.3} s; after all of them: ntk merge {out}",
            part + 1
        );
    }
    if let Some(folder) = &options.components_dir {
        text += &format!("; components in {}", folder.display());
    }
    Ok(Answer { text, json: json!({ "kernel": described }), good: true })
}
