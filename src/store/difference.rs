//! The differences between two run fingerprints, described for an error message.

use serde_json::Value;

/// The number of characters of a value that are shown.
const SHOWN: usize = 60;

/// Two values that differ. `None` if one of the runs lacks the value.
struct Difference<'a> {
    /// The keys of the value, joined by dots.
    path: String,
    stored: Option<&'a Value>,
    current: Option<&'a Value>,
}

/// Describes the most important difference between the stored run and the current one, and counts the others.
///
/// The model and the samples come first, because most other differences follow from them.
pub(super) fn describe(stored: &Value, current: &Value) -> Option<String> {
    let mut differences = Vec::new();
    collect(String::new(), Some(stored), Some(current), &mut differences);
    let first = differences.iter().min_by_key(|difference| rank(&difference.path))?;
    let path = if first.path.is_empty() { "the fingerprint" } else { &first.path };
    let more = match differences.len() - 1 {
        0 => String::new(),
        1 => ", and 1 more value differs".into(),
        more => format!(", and {more} more values differ"),
    };
    let (subject, stored, current) = (subject(&first.path), show(first.stored), show(first.current));
    Some(format!("{subject}{path} is {stored} in the journal and {current} in this run{more}"))
}

fn rank(path: &str) -> usize {
    match path.split('.').next() {
        Some("model") => 0,
        Some("samples") => 1,
        _ => 2,
    }
}

fn subject(path: &str) -> String {
    match rank(path) {
        0 => "the model differs: ".into(),
        1 => match path.split('.').nth(1) {
            Some(axis) => format!("the samples ({axis}) differ: "),
            None => "the samples differ: ".into(),
        },
        _ => String::new(),
    }
}

fn collect<'a>(
    path: String,
    stored: Option<&'a Value>,
    current: Option<&'a Value>,
    differences: &mut Vec<Difference<'a>>,
) {
    let child = |key: &str| if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") };
    match (stored, current) {
        (Some(Value::Object(a)), Some(Value::Object(b))) => {
            let only_current = b.keys().filter(|&key| !a.contains_key(key));
            for key in a.keys().chain(only_current) {
                collect(child(key), a.get(key), b.get(key), differences);
            }
        }
        (Some(Value::Array(a)), Some(Value::Array(b))) => {
            for i in 0..a.len().max(b.len()) {
                collect(child(&i.to_string()), a.get(i), b.get(i), differences);
            }
        }
        _ if stored != current => differences.push(Difference { path, stored, current }),
        _ => {}
    }
}

fn show(value: Option<&Value>) -> String {
    let Some(value) = value else {
        return "missing".into();
    };
    let text = value.to_string();
    match text.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}...", &text[..end]),
        None => text,
    }
}
