//! The tables as text.

use tangent_kernels::Method;

use crate::child::Outcome;
use crate::network::Network;
use crate::options::{METHODS, Precision};
use crate::paper::{self, Figure, Quantity, SAMPLES};
use crate::table::{grouped, significant};
use crate::tables::{NETWORKS, Results};

/// The line that is printed after a cell.
pub fn progress(outcome: Outcome) -> String {
    match outcome {
        Outcome::Done { seconds, .. } => format!("{} s", significant(seconds)),
        Outcome::OutOfMemory => "OOM".to_string(),
        Outcome::OutOfTime => "-".to_string(),
    }
}

pub fn tables(results: &Results, precision: Precision, place: &str) {
    let mut number = 0;
    for network in NETWORKS {
        for quantity in [Quantity::Seconds, Quantity::Megabytes] {
            number += 1;
            let what = match quantity {
                Quantity::Seconds => "seconds",
                Quantity::Megabytes => "MB at the peak",
            };
            println!("\nTable {number}: {}, {what}", network.title());
            table(results, network, quantity);
        }
    }
    println!(
        "\nHere: {}, {place}. In brackets the paper's figures, where we have them: an A100, by our reckoning in TF32.",
        precision.name(),
    );
    println!("OOM: does not fit in memory. -: would not have been done in time.");
}

fn table(results: &Results, network: Network, quantity: Quantity) {
    let head = METHODS.map(|method| paper::name(method).unwrap_or(method.name()));
    println!("{:>8}{}", "N", head.map(|name| format!("  {name:>18}")).concat());
    for samples in SAMPLES {
        let cells = METHODS.map(|method| format!("  {:>18}", entry(results, network, method, samples, quantity)));
        println!("{:>8}{}", grouped(samples), cells.concat());
    }
}

/// Our figure, and the paper's in brackets if it is known.
fn entry(results: &Results, network: Network, method: Method, samples: usize, quantity: Quantity) -> String {
    let ours = match (results.get(network, method, samples), quantity) {
        (Some(Outcome::Done { seconds, .. }), Quantity::Seconds) => significant(seconds),
        (Some(Outcome::Done { peak_bytes: Some(bytes), .. }), Quantity::Megabytes) => significant(bytes / 1e6),
        (Some(Outcome::Done { peak_bytes: None, .. }), Quantity::Megabytes) => "n/a".to_string(),
        (Some(Outcome::OutOfMemory), _) => "OOM".to_string(),
        (Some(Outcome::OutOfTime) | None, _) => "-".to_string(),
    };
    match paper::figure(network, method, samples, quantity) {
        Some(Figure::Is(number)) => format!("{ours} ({})", significant(number)),
        Some(Figure::OutOfMemory) => format!("{ours} (OOM)"),
        None => ours,
    }
}
