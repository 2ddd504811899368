//! The fingerprint of a run: hashes of the model, the samples and the options, and the manifest.

use super::Ntk;
use super::json::{self, RunHashes};
use super::manifest::Manifest;
use super::run::Data;
use crate::backend::Gram;
use crate::error::Result;
use crate::ops::Op;
use crate::real::Real;
use crate::samples::Samples;

/// The number of samples that are read and hashed at a time.
const SAMPLES_PER_READ: usize = 1024;

/// A running hash: FNV-1a of 64-bit words, with the high bits mixed in.
struct Hasher(u64);

impl Hasher {
    fn new() -> Self {
        Hasher(0xcbf2_9ce4_8422_2325)
    }

    fn feed(&mut self, word: u64) {
        let mixed = (self.0 ^ word).wrapping_mul(0x0000_0100_0000_01b3);
        self.0 = mixed ^ (mixed >> 29);
    }

    fn text(&mut self, text: &str) {
        self.feed(text.len() as u64);
        text.bytes().for_each(|byte| self.feed(byte.into()));
    }
}

/// The fingerprint of a run, as JSON.
pub(super) fn fingerprint<B: Gram, O: Op>(
    ntk: &Ntk<'_, B, O>,
    data: Data<'_, B::Number>,
    manifest: &Manifest,
) -> Result<String> {
    let hashes = RunHashes {
        model: model(ntk)?,
        rows: samples(data.x)?,
        columns: data.z.map(samples).transpose()?,
        options: options(ntk),
    };
    Ok(json::fingerprint(&hashes, manifest))
}

fn model<B: Gram, O: Op>(ntk: &Ntk<'_, B, O>) -> Result<u64> {
    let model = ntk.session.model();
    let mut hasher = Hasher::new();
    hasher.text(&model.graph().outline());
    for (info, values) in model.valued_parameters()?.into_iter().chain(model.valued_buffers()?) {
        hasher.text(&info.name);
        info.shape.iter().for_each(|&size| hasher.feed(size as u64));
        values.iter().for_each(|x| hasher.feed(x.to_bits()));
    }
    Ok(hasher.0)
}

fn samples<R: Real>(x: &dyn Samples<R>) -> Result<u64> {
    let mut hasher = Hasher::new();
    for input in 0..x.inputs() {
        for start in (0..x.samples()).step_by(SAMPLES_PER_READ) {
            let numbers = x.read(input, start..x.samples().min(start + SAMPLES_PER_READ))?;
            numbers.iter().for_each(|number| hasher.feed(number.f64().to_bits()));
        }
    }
    Ok(hasher.0)
}

/// Hashes the options that are not in the manifest.
fn options<B: Gram, O: Op>(ntk: &Ntk<'_, B, O>) -> u64 {
    let mut hasher = Hasher::new();
    hasher.text(&format!("{:?} {} {:?}", ntk.metric, ntk.components, ntk.selected_parameters().unwrap_or_default()));
    hasher.0
}
