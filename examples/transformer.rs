//! A small transformer composed of functions, and its kernel on a few made-up sentences.
//!
//! Prints the plan, a line for each component, the similarity of the sentences, and the difference of every other method
//! from the structured one. Exits with 1 if any is further than 1e-10 in `f64`.

use std::process::ExitCode;

use tangent_kernels::{Batch, Cpu, Error, Kernel, Outputs, Result, Session};
use tangent_kernels_examples::attention::{Sizes, transformer};

const SENTENCES: [&str; 6] = [
    "the cat sees the dog",
    "the cat sees the bird",
    "the dog hears the cat",
    "a bird hears a dog",
    "a bird sings and sings",
    "cat and dog and bird",
];

/// The largest allowed difference of methods, relative to a component.
const TOLERANCE: f64 = 1e-10;

fn main() -> ExitCode {
    match run() {
        Ok(worst) if worst <= TOLERANCE => ExitCode::SUCCESS,
        Ok(worst) => {
            eprintln!("transformer: the methods differ by {worst:.1e}, more than {TOLERANCE:.0e}");
            ExitCode::FAILURE
        }
        Err(error) => {
            eprintln!("transformer: {error}");
            ExitCode::FAILURE
        }
    }
}

/// The worst difference of methods.
fn run() -> Result<f64> {
    if let Some(argument) = std::env::args().nth(1) {
        return Err(Error::value(format!("'{argument}' was given, but there are no options")));
    }
    let (words, ids) = numbered(&SENTENCES);
    let sizes = Sizes { words: words.len(), length: ids.len() / SENTENCES.len(), width: 16, heads: 2, blocks: 2 };
    let mut model = transformer(sizes)?;
    model.initialise(0)?;
    println!(
        "a transformer of {} blocks and {} heads, width {}, {} parameters; {} words, so {} outputs\n",
        sizes.blocks,
        sizes.heads,
        sizes.width,
        model.parameter_count(),
        sizes.words,
        model.outputs()
    );

    let session = Session::new(&model, Cpu::<f64>::new())?;
    let sentences = Batch::new(&ids, &[SENTENCES.len(), sizes.length])?;
    let ntk = session.ntk().outputs(Outputs::TraceMean);
    println!("{}\n", ntk.plan(SENTENCES.len())?);
    let kernel = ntk.compute(&sentences)?;
    print_components(&kernel);
    print_likeness(&kernel);

    println!("\nthe full kernel of 3 sentences, structured, against");
    let verification = session.ntk().verify(&sentences, 3)?;
    for other in &verification.methods {
        println!("  {:<18} {:.1e}  at {}", other.method, other.worst.0, other.worst.1);
    }
    Ok(verification.worst())
}

/// The vocabulary, and the number of every word of every sentence in it: all of one length.
fn numbered(sentences: &[&'static str]) -> (Vec<&'static str>, Vec<f64>) {
    let mut words: Vec<&str> = sentences.iter().flat_map(|sentence| sentence.split(' ')).collect();
    let all = words.clone();
    words.sort_unstable();
    words.dedup();
    let ids = all.iter().map(|word| words.binary_search(word).expect("every word is there") as f64).collect();
    (words, ids)
}

fn print_components(kernel: &Kernel<f64>) {
    println!("{:<28}{:>14}{:>14}{:>10}", "component", "trace", "|K|_F", "share");
    let total = [("total".to_string(), kernel.total().clone())];
    for (name, matrix) in kernel.components().iter().chain(&total) {
        let share = 100.0 * matrix.trace() / kernel.total().trace();
        println!("{name:<28}{:>14.5e}{:>14.5e}{share:>8.2} %", matrix.trace(), matrix.frobenius_norm());
    }
}

/// K(x, x') / sqrt(K(x, x) K(x', x')): the cosine of the angle between gradients.
fn print_likeness(kernel: &Kernel<f64>) {
    println!("\ncosine of the angle between the gradients of sentences");
    let k = kernel.total();
    for (n, sentence) in SENTENCES.iter().enumerate() {
        let row: Vec<String> =
            (0..k.cols()).map(|m| format!("{:6.3}", k[(n, m)] / (k[(n, n)] * k[(m, m)]).sqrt())).collect();
        println!("  {sentence:<24} {}", row.join(" "));
    }
}
