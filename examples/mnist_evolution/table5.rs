//! Table 5: the sign classifier of every layer and of the kernel, and the network itself, at the start and at the end.

use tangent_kernels::analysis::trajectory::Record;

use crate::experiment::Outcome;
use crate::table;

/// The expected accuracy at the end of training with all 10,000 images, in percent.
const BARS: [(&str, f64); 2] = [("NTK", 98.9), ("network, test", 97.8)];

/// A line of the table, in percent, over seeds.
pub struct Line {
    pub name: String,
    pub start: Spread,
    pub end: Spread,
    pub bar: Option<f64>,
}

/// Mean and standard deviation; one number has no deviation.
pub struct Spread {
    pub mean: f64,
    pub deviation: Option<f64>,
}

impl Spread {
    fn compute(values: &[f64]) -> Self {
        let n = values.len() as f64;
        let mean = values.iter().sum::<f64>() / n;
        let squares: f64 = values.iter().map(|x| (x - mean).powi(2)).sum();
        Spread { mean, deviation: (values.len() > 1).then(|| (squares / (n - 1.0)).sqrt()) }
    }

    pub fn text(&self) -> String {
        match self.deviation {
            Some(deviation) => format!("{:.2} ± {deviation:.2}", self.mean),
            None => format!("{:.2}", self.mean),
        }
    }
}

pub fn lines(outcomes: &[Outcome]) -> Vec<Line> {
    let layers = outcomes[0].start().layers.iter().enumerate().map(|(k, layer)| {
        let name = if layer.name == "total" { "NTK".to_string() } else { format!("layer {}", &layer.name[1..]) };
        line(outcomes, name, move |record| record.layers[k].test_accuracy.unwrap_or(0.0))
    });
    let network = [("network, training", 1), ("network, test", 2)];
    let network = network.map(|(name, k)| line(outcomes, name.into(), move |record| record.values[k]));
    layers.collect::<Vec<_>>().into_iter().chain(network).collect()
}

fn line(outcomes: &[Outcome], name: String, share: impl Fn(&Record) -> f64) -> Line {
    let percent =
        |records: Vec<&Record>| Spread::compute(&records.into_iter().map(|r| 100.0 * share(r)).collect::<Vec<_>>());
    let bar = BARS.iter().find(|(own, _)| *own == name).map(|(_, bar)| *bar);
    let start = percent(outcomes.iter().map(Outcome::start).collect());
    let end = percent(outcomes.iter().map(Outcome::end).collect());
    Line { name, start, end, bar }
}

/// Heads and cells, for a terminal, a file and the report alike.
pub fn cells(lines: &[Line]) -> Vec<Vec<String>> {
    let head = ["% of digits right", "at the start", "at the end", "at least"].map(String::from).to_vec();
    let row = |line: &Line| {
        let bar = line.bar.map_or(String::new(), |bar| format!("{bar:.1}"));
        vec![line.name.clone(), line.start.text(), line.end.text(), bar]
    };
    std::iter::once(head).chain(lines.iter().map(row)).collect()
}

pub fn text(lines: &[Line]) -> String {
    table::table(&cells(lines), &[true])
}

pub fn csv(lines: &[Line]) -> String {
    let number = |x: Option<f64>| x.map_or(String::new(), |x| format!("{x:.4}"));
    let row = |line: &Line| {
        let Line { name, start, end, bar } = line;
        let numbers = [Some(start.mean), start.deviation, Some(end.mean), end.deviation, *bar].map(number);
        format!("\"{name}\",{}\n", numbers.join(","))
    };
    let head = "what,start_mean,start_deviation,end_mean,end_deviation,at_least\n".to_string();
    std::iter::once(head).chain(lines.iter().map(row)).collect()
}
