//! One kernel on disk in both formats: `kernel.npy` and `kernel.zarr` in the given folder.
//!
//! Stop it and start it again: it resumes. `tests/reference/read_zarr.py` compares the two.

use std::path::Path;
use std::process::ExitCode;

use tangent_kernels::store::{self, NpyFile, ZarrStore};
use tangent_kernels::unary::Tanh;
use tangent_kernels::{Batch, Cpu, Outputs, Result, Sequential, Session};

const SAMPLES: usize = 700;
const WIDTHS: [usize; 4] = [8, 32, 32, 3];
/// Small, so that there are many regions and chunks.
const SIDE: usize = 100;

fn main() -> ExitCode {
    let Some(folder) = std::env::args_os().nth(1) else {
        eprintln!("kernel_on_disk: give a folder");
        return ExitCode::FAILURE;
    };
    match run(Path::new(&folder)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("kernel_on_disk: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(folder: &Path) -> Result<()> {
    let mut model = Sequential::standard(&WIDTHS[..1]).mlp(&WIDTHS[1..], Tanh).build()?;
    model.initialise(1)?;
    let session = Session::new(&model, Cpu::<f32>::new())?;
    let samples: Vec<f32> = (0..SAMPLES * WIDTHS[0]).map(|k| ((k * k) as f32 * 0.618).sin()).collect();
    let samples = Batch::new(&samples, &[SAMPLES, WIDTHS[0]])?;
    let ntk = || session.ntk().outputs(Outputs::PerOutput);
    let (npy, zarr) = (folder.join("kernel.npy"), folder.join("kernel.zarr"));
    ntk().fill(&samples, &mut NpyFile::new(&npy).side(SIDE))?;
    ntk().fill(&samples, &mut ZarrStore::new(&zarr).side(SIDE))?;
    println!("{}\n{}", store::check(&npy)?, store::check(&zarr)?);
    Ok(())
}
