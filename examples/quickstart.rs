//! The layerwise kernel of a small network, in twenty lines.

use tangent_kernels::{Batch, Cpu, Result, Sequential, Session};

fn main() -> Result<()> {
    // A network, and values for its parameters.
    let mut model = Sequential::ntk(&[4]).linear("hidden", 64).tanh().linear("out", 1).build()?;
    model.initialise(7)?;

    // Twenty samples of four numbers each, one after another.
    let numbers: Vec<f32> = (0..20 * 4).map(|k| (k as f32).sin()).collect();
    let x = Batch::new(&numbers, &[20, 4])?;

    // The kernel, with a component for every layer.
    let session = Session::new(&model, Cpu::<f32>::new())?;
    let kernel = session.ntk().compute(&x)?.by_layer();
    let total = ("total", kernel.total());
    for (layer, k) in kernel.components().iter().map(|(layer, k)| (layer.as_str(), k)).chain([total]) {
        println!("{layer:<8} trace {:9.4}   K(0, 0) {:8.4}   K(0, 1) {:8.4}", k.trace(), k[(0, 0)], k[(0, 1)]);
    }
    Ok(())
}
