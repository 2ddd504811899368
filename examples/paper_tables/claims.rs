//! Which of the paper's claims held here.

use tangent_kernels::Method;

use crate::network::Network;
use crate::options::{METHODS, is_explicit};
use crate::paper::SAMPLES;
use crate::table::{grouped, significant};
use crate::tables::{NETWORKS, Results};

/// The cells for which the paper says how much faster explicit derivatives are.
pub const SAMPLES_OF_SPEED: usize = 1_000;

/// The evidence for a claim: one line per cell that tests it, and whether it held there.
type Seen = Vec<(bool, String)>;

pub fn print(results: &Results) {
    println!("\nThe paper's claims, here:");
    claim("explicit derivatives are the fastest", explicit_is_fastest(results));
    claim("layerwise needs less memory than the full Jacobian on MLP-h", layerwise_is_smaller(results));
    claim("explicit is over 1,000 times faster on MLP-h at N=1,000", a_thousand_times(results));
}

fn claim(what: &str, seen: Seen) {
    let failed: Vec<&str> = seen.iter().filter(|(held, _)| !held).map(|(_, place)| place.as_str()).collect();
    let all: Vec<&str> = seen.iter().map(|(_, place)| place.as_str()).collect();
    let (verdict, places) = match (seen.is_empty(), failed.is_empty()) {
        (true, _) => ("not tested", vec!["no two methods to compare were done"]),
        (_, true) => ("held", all),
        (_, false) => ("did not hold", failed),
    };
    println!("- {what}: {verdict} ({})", places.join("; "));
}

/// The quickest of the explicit methods that were done, in seconds.
fn explicit(results: &Results, network: Network, samples: usize) -> Option<f64> {
    let own = METHODS.into_iter().filter(|method| is_explicit(*method));
    own.filter_map(|method| results.seconds(network, method, samples)).min_by(f64::total_cmp)
}

/// The other methods that were done, with their seconds.
fn others(results: &Results, network: Network, samples: usize) -> Vec<(Method, f64)> {
    let own = METHODS.into_iter().filter(|method| !is_explicit(*method));
    own.filter_map(|method| Some((method, results.seconds(network, method, samples)?))).collect()
}

fn explicit_is_fastest(results: &Results) -> Seen {
    let mut seen = Seen::new();
    for (network, samples) in NETWORKS.into_iter().flat_map(|network| SAMPLES.map(|samples| (network, samples))) {
        let next = others(results, network, samples).into_iter().min_by(|(_, x), (_, y)| x.total_cmp(y));
        if let Some((own, (method, seconds))) = explicit(results, network, samples).zip(next) {
            let times = significant(seconds / own);
            let place = format!("{} N={}: {method} took {times} times as long", network.title(), grouped(samples));
            seen.push((own < seconds, place));
        }
    }
    seen
}

fn layerwise_is_smaller(results: &Results) -> Seen {
    let peak = |method, samples| results.peak_bytes(Network::MlpH, method, samples);
    let compared = |samples| {
        let (layerwise, full) = (peak(Method::Layerwise, samples)?, peak(Method::FullJacobian, samples)?);
        let [own, other] = [layerwise, full].map(|bytes| significant(bytes / 1e6));
        Some((layerwise < full, format!("N={}: {own} MB against {other} MB", grouped(samples))))
    };
    SAMPLES.into_iter().filter_map(compared).collect()
}

/// Against the slowest of the other methods that were done.
fn a_thousand_times(results: &Results) -> Seen {
    let slowest = others(results, Network::MlpH, SAMPLES_OF_SPEED).into_iter().max_by(|(_, x), (_, y)| x.total_cmp(y));
    let both = explicit(results, Network::MlpH, SAMPLES_OF_SPEED).zip(slowest);
    let seen = both.map(|(own, (method, seconds))| {
        let times = seconds / own;
        (times > 1000.0, format!("{} times faster than {method}", significant(times)))
    });
    seen.into_iter().collect()
}
