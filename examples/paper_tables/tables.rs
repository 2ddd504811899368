//! All cells of Tables 1 to 4, the cheap ones first, within memory and time.

use std::time::{Duration, Instant};

use tangent_kernels::{Method, Model, Result};

use crate::cell::TOO_LONG_QUICK;
use crate::child::{self, Outcome};
use crate::network::Network;
use crate::options::{Cell, METHODS, Precision, is_explicit};
use crate::paper::SAMPLES;
use crate::table::grouped;
use crate::{claims, memory, print};

/// The networks of the tables.
pub const NETWORKS: [Network; 2] = [Network::Mlp, Network::MlpH];

/// Seconds of a process in addition to its kernels: weights, samples, a warm-up.
const START: f64 = 2.0;

/// The results, cell by cell.
#[derive(Default)]
pub struct Results(Vec<(Cell, Outcome)>);

impl Results {
    /// `None` before that cell has run.
    pub fn get(&self, network: Network, method: Method, samples: usize) -> Option<Outcome> {
        let found =
            self.0.iter().find(|(cell, _)| (cell.network, cell.method, cell.samples) == (network, method, samples));
        found.map(|(_, outcome)| *outcome)
    }

    /// The seconds of a cell that was done.
    pub fn seconds(&self, network: Network, method: Method, samples: usize) -> Option<f64> {
        match self.get(network, method, samples)? {
            Outcome::Done { seconds, .. } => Some(seconds),
            _ => None,
        }
    }

    /// The peak of a cell that was done.
    pub fn peak_bytes(&self, network: Network, method: Method, samples: usize) -> Option<f64> {
        match self.get(network, method, samples)? {
            Outcome::Done { peak_bytes, .. } => peak_bytes,
            _ => None,
        }
    }

    /// The largest cell of the same column that was done.
    fn before(&self, cell: &Cell) -> Option<(usize, f64)> {
        let smaller = SAMPLES.into_iter().rev().filter(|&samples| samples < cell.samples);
        let done = |samples| Some((samples, self.seconds(cell.network, cell.method, samples)?));
        smaller.filter_map(done).next()
    }
}

/// Where the tables are computed.
pub struct Place {
    /// The value of `--device`.
    pub word: String,
    /// A description for the reader.
    pub place: String,
}

pub fn run(precision: Precision, place: &Place, minutes: f64) -> Result<()> {
    let deadline = Instant::now() + Duration::from_secs_f64(60.0 * minutes);
    let models = [NETWORKS[0].model(1)?, NETWORKS[1].model(1)?];
    let mut results = Results::default();
    for cell in in_order(&models, precision) {
        let model = if cell.network == NETWORKS[0] { &models[0] } else { &models[1] };
        let which = format!("{} N={} {}", cell.network.title(), grouped(cell.samples), cell.method);
        eprint!("{which} ... ");
        let outcome = outcome(model, &cell, &place.word, &results, deadline);
        let outcome = outcome.inspect_err(|_| eprintln!("failed"))?;
        eprintln!("{}", print::progress(outcome));
        results.0.push((cell, outcome));
    }
    print::tables(&results, precision, &place.place);
    claims::print(&results);
    Ok(())
}

/// All cells, in increasing cost, but first those up to the number of samples that the claims are about.
fn in_order(models: &[Model; 2], precision: Precision) -> Vec<Cell> {
    let mut cells = Vec::new();
    for (network, model) in NETWORKS.into_iter().zip(models) {
        for method in METHODS {
            for samples in SAMPLES {
                let cell = Cell { network, samples, outputs: 1, method, precision };
                cells.push((flops(model, &cell), cell));
            }
        }
    }
    let late = |cell: &Cell| cell.samples > claims::SAMPLES_OF_SPEED;
    cells.sort_by(|(x, one), (y, other)| late(one).cmp(&late(other)).then(x.total_cmp(y)));
    cells.into_iter().map(|(_, cell)| cell).collect()
}

/// Writing, copying and packing an entry of a Jacobian takes about as long as this many multiplications and additions.
const AN_ENTRY: f64 = 1000.0;

/// An estimate of the multiplications and additions of a method, to order cells and to extrapolate times.
fn flops(model: &Model, cell: &Cell) -> f64 {
    let shapes = || model.parameters().iter().map(|info| &info.shape);
    let entries: f64 = shapes().map(|shape| shape.iter().product::<usize>() as f64).sum();
    let sides: f64 = shapes().map(|shape| shape.iter().sum::<usize>() as f64).sum();
    let samples = cell.samples as f64;
    let sweeps = match cell.method {
        Method::Layerwise | Method::LayerwiseBatched => model.parameters().len() as f64,
        _ => 1.0,
    };
    let passes = 4.0 * sweeps * samples * entries;
    if is_explicit(cell.method) {
        return samples * samples * sides + passes;
    }
    samples * samples * entries + passes + AN_ENTRY * samples * entries
}

fn outcome(model: &Model, cell: &Cell, device: &str, results: &Results, deadline: Instant) -> Result<Outcome> {
    let on_cpu = device == "cpu";
    let fits = match cell.precision {
        Precision::F32 => memory::check::<f32>(model, cell, on_cpu),
        Precision::F64 => memory::check::<f64>(model, cell, on_cpu),
    };
    if let Err(error) = fits {
        return if error.is_memory() { Ok(Outcome::OutOfMemory) } else { Err(error) };
    }
    let left = deadline.saturating_duration_since(Instant::now()).as_secs_f64();
    let seconds = expected(model, cell, results);
    let repetitions = seconds.min(TOO_LONG_QUICK);
    if START + seconds + repetitions > left {
        return Ok(Outcome::OutOfTime);
    }
    child::run(cell, device, deadline)
}

/// The seconds of a kernel, extrapolated from fewer samples by the same method; zero without any.
fn expected(model: &Model, cell: &Cell, results: &Results) -> f64 {
    let Some((samples, seconds)) = results.before(cell) else { return 0.0 };
    seconds * flops(model, cell) / flops(model, &Cell { samples, ..*cell })
}
