//! What two identities differ in, in words.

use serde_json::Value;

/// How much of a value is shown.
const SHOWN: usize = 60;

/// The first difference between the run that is `there` and this one, `here`, and how many more there are.
///
/// The model and the samples come before all others, since what else differs mostly follows from them.
pub(super) fn first(there: &Value, here: &Value) -> Option<String> {
    let mut all = Vec::new();
    walk(String::new(), Some(there), Some(here), &mut all);
    let rank = |path: &str| match path.split('.').next() {
        Some("model") => 0,
        Some("samples") => 1,
        _ => 2,
    };
    let (path, there, here) = all.iter().min_by_key(|(path, ..)| rank(path))?;
    let what = match rank(path) {
        0 => "the model differs: ".into(),
        1 => match path.split('.').nth(1) {
            Some(which) => format!("the samples ({which}) differ: "),
            None => "the samples differ: ".into(),
        },
        _ => String::new(),
    };
    let path = if path.is_empty() { "the identity" } else { path };
    let more = match all.len() - 1 {
        0 => String::new(),
        1 => ", and 1 more value differs".into(),
        more => format!(", and {more} more values differ"),
    };
    Some(format!("{what}{path} is {} there and {} here{more}", show(*there), show(*here)))
}

type Differing<'a> = (String, Option<&'a Value>, Option<&'a Value>);

fn walk<'a>(path: String, there: Option<&'a Value>, here: Option<&'a Value>, all: &mut Vec<Differing<'a>>) {
    let below = |key: &str| if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") };
    match (there, here) {
        (Some(Value::Object(a)), Some(Value::Object(b))) => {
            let only_here = b.keys().filter(|&key| !a.contains_key(key));
            for key in a.keys().chain(only_here) {
                walk(below(key), a.get(key), b.get(key), all);
            }
        }
        (Some(Value::Array(a)), Some(Value::Array(b))) => {
            for i in 0..a.len().max(b.len()) {
                walk(below(&i.to_string()), a.get(i), b.get(i), all);
            }
        }
        _ if there != here => all.push((path, there, here)),
        _ => {}
    }
}

fn show(value: Option<&Value>) -> String {
    let Some(value) = value else {
        return "not given".into();
    };
    let text = value.to_string();
    match text.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}...", &text[..end]),
        None => text,
    }
}
