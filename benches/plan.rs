//! Is the plan right? A grid of layers, each computed by every strategy that it allows.
//!
//! For every layer and number of outputs it prints the median seconds of each strategy and the planned strategy. It prints
//! how much slower that is than the fastest, and how much faster than materialised gradients. Only the kernel of the
//! layer's weight is computed, so that forward pass and sweep are equal for all strategies. A strategy is not run if its
//! prediction is over eight seconds and over eight times the planned one's. The prediction is then printed in brackets.

use std::hint::black_box;
use std::time::Instant;

use tangent_kernels::kernel::Strategy;
use tangent_kernels::ops::Conv2d;
use tangent_kernels::unary::Tanh;
use tangent_kernels::{Batch, Cpu, Graph, Model, Session};
use tangent_kernels_benches::machine;
use tangent_kernels_benches::machine::median;

/// A layer whose best strategy is not obvious, with a tanh and a dense layer after it.
enum Layer {
    /// A convolution of 3 x 3 on a plane: channels in and out, side of the plane.
    Conv(usize, usize, usize),
    /// A linear layer on positions: features in and out, positions.
    Sequence(usize, usize, usize),
}

fn model(layer: &Layer, outputs: usize) -> Model {
    let (mut graph, shape): (Graph, Vec<usize>) = match *layer {
        Layer::Conv(i, _, side) => (Graph::new(&[i, side, side]).unwrap(), vec![i, side, side]),
        Layer::Sequence(i, _, t) => (Graph::new(&[t, i]).unwrap(), vec![t, i]),
    };
    let x = graph.input();
    let y = match *layer {
        Layer::Conv(i, o, _) => {
            let weight = graph.parameter("layer.weight", &[o, i, 3, 3]).unwrap();
            graph.apply(Conv2d::new().padding([1, 1]), &[x], &[weight]).unwrap()
        }
        Layer::Sequence(i, o, _) => {
            let weight = graph.parameter("layer.weight", &[o, i]).unwrap();
            graph.linear(x, weight, None).unwrap()
        }
    };
    let y = graph.unary(Tanh, y).unwrap();
    let y = graph.flatten(y).unwrap();
    let width = graph.shape(y)[0];
    let out = graph.parameter("out.weight", &[outputs, width]).unwrap();
    let y = graph.linear(y, out, None).unwrap();
    let mut model = Model::new(graph, y).unwrap();
    model.initialise(0).unwrap();
    assert_eq!(model.input_shape(), shape);
    model
}

fn row(name: &str, layer: &Layer, outputs: usize, samples: usize) -> (f64, f64) {
    let model = model(layer, outputs);
    let session = Session::new(&model, Cpu::<f32>::new()).unwrap();
    let size: usize = model.input_shape().iter().product();
    let numbers = machine::numbers::<f32>(samples * size);
    let x = Batch::new(&numbers, &[&[samples], model.input_shape()].concat()).unwrap();
    let ntk = || session.ntk().components(false).parameters(&["layer.weight"]);
    let plan = ntk().plan(samples).unwrap();
    let planned = &plan.parameters[0];
    let mut measured: Vec<(Strategy, f64)> = Vec::new();
    let mut cells = Vec::new();
    let all = std::iter::once((planned.strategy, planned.seconds)).chain(planned.alternatives.iter().copied());
    for (strategy, predicted) in all {
        if predicted > 8.0 && predicted > 8.0 * planned.seconds {
            cells.push(format!("{strategy} [{predicted:.1}]"));
            continue;
        }
        let ntk = ntk().force("*", strategy);
        let (mut times, start) = (Vec::new(), Instant::now());
        while times.is_empty()
            || (times.len() < 3 && start.elapsed().as_secs_f64() < 2.0)
            || (start.elapsed().as_secs_f64() < 0.5 && times.len() < 15)
        {
            let start = Instant::now();
            black_box(ntk.compute(&x).unwrap());
            times.push(start.elapsed().as_secs_f64());
        }
        let seconds = median(&mut times);
        measured.push((strategy, seconds));
        cells.push(format!("{strategy} {seconds:.4}"));
    }
    let seconds_of = |wanted: Strategy| measured.iter().find(|(strategy, _)| *strategy == wanted).map(|(_, s)| *s);
    let (own, out) = (measured[0].1, seconds_of(Strategy::Materialise));
    let best = measured.iter().map(|(_, s)| *s).fold(f64::INFINITY, f64::min);
    let gain = out.map_or(f64::NAN, |out| out / own);
    println!(
        "{name:<28} {outputs:>2} {samples:>4}  {:<14} {:>5.2}  {gain:>6.1}   {}",
        planned.strategy,
        own / best,
        cells.join(", ")
    );
    (own / best, gain)
}

fn main() {
    println!("f32, {} threads", rayon::current_num_threads());
    println!("layer                         C    N  planned        / best / materialise   seconds of every strategy");
    let mut worst = 0.0f64;
    for (name, layer, samples) in [
        ("conv 3 -> 64 at 32 x 32", Layer::Conv(3, 64, 32), 24),
        ("conv 64 -> 64 at 32 x 32", Layer::Conv(64, 64, 32), 12),
        ("conv 128 -> 128 at 16 x 16", Layer::Conv(128, 128, 16), 16),
        ("conv 256 -> 256 at 8 x 8", Layer::Conv(256, 256, 8), 24),
        ("conv 512 -> 512 at 7 x 7", Layer::Conv(512, 512, 7), 16),
        ("conv 512 -> 512 at 4 x 4", Layer::Conv(512, 512, 4), 24),
        ("conv 512 -> 512 at 2 x 2", Layer::Conv(512, 512, 2), 24),
        ("conv 6 -> 16 at 10 x 10", Layer::Conv(6, 16, 10), 48),
        ("linear 768 -> 768, T = 128", Layer::Sequence(768, 768, 128), 16),
        ("linear 768 -> 768, T = 16", Layer::Sequence(768, 768, 16), 32),
        ("linear 768 -> 768, T = 4", Layer::Sequence(768, 768, 4), 64),
        ("linear 16 -> 16, T = 8", Layer::Sequence(16, 16, 8), 256),
    ] {
        for outputs in [1, 10] {
            let (ratio, _) = row(name, &layer, outputs, samples);
            worst = worst.max(ratio);
        }
    }
    println!("the planned strategy took at most {worst:.2} times the fastest one's time");
}
