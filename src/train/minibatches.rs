use rand_chacha::ChaCha12Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

/// One epoch of SGD: the numbers of `samples` samples in random order, in minibatches of `size`. The last minibatch may be
/// smaller. Every `epoch` has another order. Equal arguments give the same order on every machine.
///
/// ```
/// use tangent_kernels::train::{GradientDescent, Optimiser, minibatches};
/// use tangent_kernels::{Batch, Cpu, Loss, Sequential, Session, Subset};
/// # fn main() -> tangent_kernels::Result<()> {
/// let mut model = Sequential::standard(&[1]).linear("d", 1).build()?;
/// model.initialise(0)?;
/// let x: Vec<f64> = (0..20).map(|n| n as f64 / 10.0).collect();
/// let y: Vec<f64> = x.iter().map(|x| 3.0 * x - 1.0).collect();
/// let x = Batch::new(&x, &[20, 1])?;
/// let mut descent = GradientDescent::new(0.05).momentum(0.9);
/// for epoch in 0..100 {
///     for indices in minibatches(20, 8, 7, epoch) {
///         let targets: Vec<f64> = indices.iter().map(|&n| y[n]).collect();
///         let session = Session::new(&model, Cpu::<f64>::new())?;
///         let (_, gradient) = session.loss_gradient(&Subset::new(&x, &indices)?, Loss::SquaredError(&targets))?;
///         descent.step(&mut model, &gradient)?;
///     }
/// }
/// assert!((model.parameter("d.weight")?[0] - 3.0).abs() < 1e-3);
/// # Ok(())
/// # }
/// ```
///
/// Requires the feature `rand`.
pub fn minibatches(samples: usize, size: usize, seed: u64, epoch: u64) -> Vec<Vec<usize>> {
    let mut generator = ChaCha12Rng::seed_from_u64(seed);
    generator.set_stream(epoch);
    let mut indices: Vec<usize> = (0..samples).collect();
    // Fisher-Yates. The bias of the remainder of 2^64 is below 1e-9 for any number of samples that fits in memory.
    for last in (1..samples).rev() {
        indices.swap(last, (generator.next_u64() % (last as u64 + 1)) as usize);
    }
    indices.chunks(size.max(1)).map(<[usize]>::to_vec).collect()
}
