//! What tells one run from another: the manifest, and fingerprints of the model and the samples.

use super::Ntk;
use super::manifest::Manifest;
use super::run::Data;
use crate::backend::Gram;
use crate::error::Result;
use crate::ops::Op;
use crate::real::Real;
use crate::samples::Samples;
/// Samples are read and hashed so many at a time.
const SAMPLES: usize = 1024;

/// A fingerprint that grows with what it is fed: FNV-1a of 64-bit words, with the high bits stirred in.
struct Fingerprint(u64);

impl Fingerprint {
    fn new() -> Self {
        Fingerprint(0xcbf2_9ce4_8422_2325)
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

/// The identity of a run, as JSON.
pub(super) fn of<B: Gram, O: Op>(
    ntk: &Ntk<'_, B, O>,
    data: Data<'_, B::Number>,
    manifest: &Manifest,
) -> Result<String> {
    let model = model(ntk)?;
    let rows = samples(data.x)?;
    let columns = data.z.map(samples).transpose()?.map_or("null".into(), |hash| format!("\"{hash:016x}\""));
    let manifest = manifest.to_json();
    let manifest = manifest.trim_end();
    Ok(format!(
        "{{\n\"model\": \"{model:016x}\",\n\"samples\": {{\"rows\": \"{rows:016x}\", \"columns\": {columns}}},\n\
         \"options\": \"{:016x}\",\n\"manifest\": {manifest}\n}}",
        options(ntk)
    ))
}

fn model<B: Gram, O: Op>(ntk: &Ntk<'_, B, O>) -> Result<u64> {
    let model = ntk.session.model();
    let mut print = Fingerprint::new();
    print.text(&model.graph().outline());
    for (info, values) in model.valued_parameters()?.into_iter().chain(model.valued_buffers()?) {
        print.text(&info.name);
        info.shape.iter().for_each(|&size| print.feed(size as u64));
        values.iter().for_each(|x| print.feed(x.to_bits()));
    }
    Ok(print.0)
}

fn samples<R: Real>(x: &dyn Samples<R>) -> Result<u64> {
    let mut print = Fingerprint::new();
    for input in 0..x.inputs() {
        for start in (0..x.samples()).step_by(SAMPLES) {
            let numbers = x.read(input, start..x.samples().min(start + SAMPLES))?;
            numbers.iter().for_each(|number| print.feed(number.f64().to_bits()));
        }
    }
    Ok(print.0)
}

/// Options that the manifest does not tell.
fn options<B: Gram, O: Op>(ntk: &Ntk<'_, B, O>) -> u64 {
    let mut print = Fingerprint::new();
    print.text(&format!("{:?} {} {:?}", ntk.metric, ntk.components, ntk.wanted().unwrap_or_default()));
    print.0
}
