//! The kernel of a small CNN compared with the machine's matrix products: three 3 x 3 convolutions (3-32-64-64) on 32 x 32
//! pixels, ReLU, 2 x 2 average pools, a dense layer; no biases. One output for 500 samples, ten for 50, full kernel.
//!
//! Prints a line per case: seconds, the products of forward, reverse and the symmetric Gram, their rate, and its ratio to
//! the machine's product rate. That is faer's for 4096 cubed with the same precision and threads, the better of two runs. With `--json` the same as one JSON object a line, with trace and norm, for `benches/peers`.

use std::hint::black_box;
use std::time::Instant;

use tangent_kernels::{Batch, Cpu, Outputs, Real, Session};
use tangent_kernels_benches::machine::{median, product_rate};
use tangent_kernels_benches::{cnn, machine};

fn case<R: Real + faer::traits::RealField>(outputs: usize, samples: usize, json: bool) {
    let model = cnn::cnn(outputs).unwrap();
    let session = Session::new(&model, Cpu::<R>::new()).unwrap();
    let numbers = machine::numbers::<R>(samples * 3 * 32 * 32);
    let x = Batch::new(&numbers, &[samples, 3, 32, 32]).unwrap();
    let ntk = session.ntk().components(false).outputs(Outputs::Full);
    let plan = ntk.plan(samples).unwrap();
    let before = product_rate::<R>();
    let mut times = Vec::new();
    let mut last = None;
    while times.len() < 5 || (times.iter().sum::<f64>() < 3.0 && times.len() < 30) {
        let start = Instant::now();
        last = Some(black_box(ntk.compute(&x).unwrap()));
        times.push(start.elapsed().as_secs_f64());
    }
    let machine = before.max(product_rate::<R>());
    let (seconds, kernel) = (median(&mut times), last.unwrap());
    let rate = plan.flops() / seconds / 1e9;
    if json {
        println!(
            "{{\"model\": \"cnn\", \"outputs\": {outputs}, \"samples\": {samples}, \"precision\": \"{}\", \"threads\": {}, \
             \"seconds\": {seconds:.5}, \"flops\": {:e}, \"efficiency\": {:.3}, \"trace\": {:e}, \"norm\": {:e}}}",
            R::NAME,
            rayon::current_num_threads(),
            plan.flops(),
            rate / machine,
            kernel.total().trace(),
            kernel.total().frobenius_norm()
        );
        return;
    }
    println!("{plan}");
    println!(
        "{}, {outputs} outputs, {samples} samples: {seconds:.4} s, {:.2} GFLOP ({:.2} of them for pairs), {rate:.1} GFLOP/s, \
         {:.2} of the machine's {machine:.1}\n",
        R::NAME,
        plan.flops() / 1e9,
        plan.gram_flops() / 1e9,
        rate / machine
    );
}

fn main() {
    let json = std::env::args().any(|argument| argument == "--json");
    case::<f32>(1, 500, json);
    case::<f32>(10, 50, json);
    if !json {
        case::<f64>(1, 500, json);
        case::<f64>(10, 50, json);
    }
}
