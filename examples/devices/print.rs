//! The list as text.

use crate::Listed;
use crate::table::{grouped, significant, table};

pub fn print(list: &[Listed]) {
    print!("{}", devices(list));
    print!("\n{}", limits(list));
    for (number, listed) in list.iter().enumerate().filter(|(_, listed)| !listed.tuned.is_empty()) {
        print!("\n{}", shapes(number + 1, listed));
    }
    for listed in list {
        if let Some(error) = &listed.error {
            println!("\ncannot be used: {error}");
        }
    }
}

fn words<const N: usize>(words: [&str; N]) -> Vec<String> {
    words.map(str::to_string).to_vec()
}

fn mark(yes: bool) -> &'static str {
    if yes { "*" } else { "" }
}

/// A line per device, with stars for its uses.
fn devices(list: &[Listed]) -> String {
    let mut rows = vec![words(["", "gpu", "all", "kind", "name", "driver"])];
    for (number, listed) in list.iter().enumerate() {
        let Listed { adapter, is_best, is_among_all, .. } = listed;
        let number = (number + 1).to_string();
        let driver = adapter.driver();
        rows.push(words([&number, mark(*is_best), mark(*is_among_all), adapter.kind(), adapter.name(), &driver]));
    }
    table(&rows, &[false, true, true, true, true, true]) + "*: what --device gpu and --device all take\n"
}

/// A line per limit, a column per device.
fn limits(list: &[Listed]) -> String {
    let of_all: Vec<_> = list.iter().map(|listed| listed.adapter.limits()).collect();
    let numbers = (1..=list.len()).map(|number| number.to_string());
    let mut rows = vec![words(["limit", "needed"]).into_iter().chain(numbers).collect::<Vec<_>>()];
    for (at, (limit, _, needed)) in of_all[0].iter().enumerate() {
        let has = of_all.iter().map(|limits| grouped(limits[at].1));
        rows.push([limit.to_string(), grouped(*needed)].into_iter().chain(has).collect());
    }
    table(&rows, &[true])
}

/// The shapes of tiles of a device, the fastest marked.
fn shapes(number: usize, listed: &Listed) -> String {
    let best = listed.tuned.iter().map(|tuned| tuned.time).min();
    let mut rows = vec![vec![format!("tiles of {number}"), "ms".into(), "GFLOP/s".into(), String::new()]];
    for tuned in &listed.tuned {
        let seconds = tuned.time.as_secs_f64();
        let rate = significant(tuned.flops / seconds / 1e9);
        let fastest = mark(Some(tuned.time) == best).to_string();
        rows.push(vec![tuned.shape.to_string(), significant(1e3 * seconds), rate, fastest]);
    }
    table(&rows, &[true]) + "*: what kernels would use\n"
}
