//! Glob patterns on names: `*` matches any characters.

use crate::error::{Error, Result};
use crate::tape::ParameterInfo;

/// Flags the parameters whose names match one of the patterns.
///
/// # Errors
/// Returns an error if a pattern matches no name.
pub(crate) fn matching<S: AsRef<str>>(infos: &[ParameterInfo], patterns: &[S]) -> Result<Vec<bool>> {
    let mut flags = vec![false; infos.len()];
    for pattern in patterns {
        let pattern = pattern.as_ref();
        let matched: Vec<bool> = infos.iter().map(|info| matches(pattern, &info.name)).collect();
        if !matched.contains(&true) {
            let names: Vec<&str> = infos.iter().map(|info| info.name.as_str()).collect();
            return Err(Error::name(format!(
                "no parameter matches '{pattern}'; the parameters of the model are {}",
                names.join(", ")
            )));
        }
        flags.iter_mut().zip(matched).for_each(|(flag, matched)| *flag |= matched);
    }
    Ok(flags)
}

/// True if `name` matches `pattern`.
pub(crate) fn matches(pattern: &str, name: &str) -> bool {
    let Some((start, rest)) = pattern.split_once('*') else { return pattern == name };
    let Some(mut unmatched) = name.strip_prefix(start) else { return false };
    let mut parts: Vec<&str> = rest.split('*').collect();
    let end = parts.pop().unwrap_or_default();
    for part in parts {
        let Some(start) = unmatched.find(part) else { return false };
        unmatched = &unmatched[start + part.len()..];
    }
    unmatched.ends_with(end)
}

#[cfg(test)]
mod tests {
    use super::matches;

    #[test]
    fn patterns_match_names() {
        for (pattern, name, want) in [
            ("conv1.weight", "conv1.weight", true),
            ("conv1", "conv1.weight", false),
            ("conv*", "conv1.weight", true),
            ("*.weight", "conv1.weight", true),
            ("*.weight", "conv1.bias", false),
            ("*", "", true),
            ("a*b*c", "a.b.b.c", true),
            ("a*b*c", "a.c.b", false),
            ("ab*ba", "aba", false),
            ("**", "x", true),
        ] {
            assert_eq!(matches(pattern, name), want, "{pattern} {name}");
        }
    }
}
