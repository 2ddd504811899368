//! MNIST's sixes and nines as in the paper's experiments.

use std::path::Path;

use tangent_kernels::io::idx;
use tangent_kernels::{Error, Real, Result};

/// The height and the width of an image, in pixels.
pub const SIDE: usize = 28;
/// The number of pixels of an image.
pub const PIXELS: usize = SIDE * SIDE;
/// The number of training images of each class.
pub const PER_CLASS: usize = 5000;

/// Images as rows of [`PIXELS`] numbers, all sixes before all nines.
pub struct Digits<R> {
    pub pixels: Vec<R>,
    /// -1 for a six, 1 for a nine.
    pub labels: Vec<f64>,
}

impl<R: Real> Digits<R> {
    pub fn count(&self) -> usize {
        self.labels.len()
    }
}

/// The map from a byte to a network's input: (byte / 255 - mean) / deviation, divided by `divisor`. Mean and deviation
/// are those of all pixels of all 10,000 training images, even if fewer are used. The paper says 'normalized' without
/// more; this is our reading.
pub struct Normalisation {
    pub mean: f64,
    pub deviation: f64,
    pub divisor: f64,
}

/// The first `per_class` training images of each class, all test images, and how they were normalised:
/// standardised, then divided by `divisor`.
pub fn read<R: Real>(folder: &Path, per_class: usize, divisor: f64) -> Result<(Digits<R>, Digits<R>, Normalisation)> {
    let (train, train_labels) = images(folder, "train")?;
    let (test, test_labels) = images(folder, "test")?;
    let normalisation = Normalisation::measure(&train, divisor);
    let chosen = [6, 9].into_iter().flat_map(|digit| {
        let of_digit = train_labels.iter().enumerate().filter(move |(_, label)| **label == digit);
        of_digit.map(|(index, _)| index).take(per_class)
    });
    let chosen: Vec<usize> = chosen.collect();
    let train = normalisation.digits(&train, &train_labels, &chosen);
    let everything: Vec<usize> = (0..test_labels.len()).collect();
    let test = normalisation.digits(&test, &test_labels, &everything);
    Ok((train, test, normalisation))
}

/// The bytes of all images and their labels, after a check that they belong together.
fn images(folder: &Path, part: &str) -> Result<(Vec<u8>, Vec<u8>)> {
    let path = |kind: &str| folder.join(format!("mnist69-{part}-{kind}-ubyte.gz"));
    let images = idx::read(path("images-idx3"))?;
    let labels = idx::read(path("labels-idx1"))?;
    if images.shape.len() != 3 || images.shape[1..] != [28, 28] || labels.shape != images.shape[..1] {
        return Err(Error::shape(format!("{part}: images {:?}, labels {:?}", images.shape, labels.shape)));
    }
    if let Some(label) = labels.data.iter().find(|label| ![6, 9].contains(label)) {
        return Err(Error::value(format!("{part}: a label is {label}, but all must be 6 or 9")));
    }
    Ok((images.data, labels.data))
}

impl Normalisation {
    fn measure(bytes: &[u8], divisor: f64) -> Self {
        let n = bytes.len() as f64;
        let value = |byte: &u8| f64::from(*byte) / 255.0;
        let mean = bytes.iter().map(value).sum::<f64>() / n;
        let variance = bytes.iter().map(|byte| (value(byte) - mean).powi(2)).sum::<f64>() / n;
        Normalisation { mean, deviation: variance.sqrt(), divisor }
    }

    fn digits<R: Real>(&self, bytes: &[u8], labels: &[u8], chosen: &[usize]) -> Digits<R> {
        let scale = self.deviation * self.divisor;
        let input = |byte: &u8| R::from_f64((f64::from(*byte) / 255.0 - self.mean) / scale);
        Digits {
            pixels: chosen.iter().flat_map(|&k| &bytes[k * PIXELS..(k + 1) * PIXELS]).map(input).collect(),
            labels: chosen.iter().map(|&k| if labels[k] == 6 { -1.0 } else { 1.0 }).collect(),
        }
    }
}
