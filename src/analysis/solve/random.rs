//! Random vectors that are equal on every machine, for any number of threads, and without the `rand` feature.
//!
//! A number is a function of (seed, stream, index): SplitMix64 (Steele, Lea & Flood 2014, "Fast splittable pseudorandom
//! number generators"), used as a hash of a counter.

/// 2^64 divided by the golden ratio, rounded to an odd number: the step of SplitMix64.
const STEP: u64 = 0x9E37_79B9_7F4A_7C15;

/// 64 random bits.
fn bits(seed: u64, stream: u64, index: u64) -> u64 {
    let key = mixed(mixed(seed).wrapping_add(stream.wrapping_mul(STEP)));
    mixed(key.wrapping_add(index.wrapping_mul(STEP)))
}

fn mixed(x: u64) -> u64 {
    let mut z = x.wrapping_add(STEP);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

/// Numbers uniform in (-1, 1). As a start vector it is orthogonal to no eigenvector.
pub(super) fn uniform(size: usize, seed: u64, stream: u64) -> Vec<f64> {
    let fraction = |bits: u64| ((bits >> 11) as f64 + 0.5) / (1u64 << 53) as f64;
    (0..size as u64).map(|k| 2.0 * fraction(bits(seed, stream, k)) - 1.0).collect()
}

/// Rademacher signs divided by sqrt(size): a probe z / |z| with E[z z^T] = I. Among distributions of independent entries it
/// has the least variance of the trace (Hutchinson 1990).
pub(super) fn signs(size: usize, seed: u64, stream: u64) -> Vec<f64> {
    let entry = 1.0 / (size as f64).sqrt();
    (0..size as u64).map(|k| if bits(seed, stream, k) >> 63 == 0 { entry } else { -entry }).collect()
}

/// The unit vector with entry 1 at `index`.
pub(super) fn unit_vector(size: usize, index: usize) -> Vec<f64> {
    let mut x = vec![0.0; size];
    x[index] = 1.0;
    x
}
