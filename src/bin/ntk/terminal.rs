//! Text for a terminal. Names in files are untrusted: control characters in them could change what a user sees.

/// Replaces control characters except line breaks by `\u001b` and its like, which is also valid inside JSON strings.
pub fn escape_text(text: &str) -> String {
    escape(text, |character| character.is_control() && character != '\n')
}

/// Replaces all control characters of a name, line breaks included.
pub fn escape_name(name: &str) -> String {
    escape(name, char::is_control)
}

fn escape(text: &str, replaced: impl Fn(char) -> bool) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        if replaced(character) {
            escaped += &format!("\\u{:04x}", u32::from(character));
        } else {
            escaped.push(character);
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::{escape_name, escape_text};

    #[test]
    fn control_characters_are_escaped() {
        assert_eq!(escape_text("a\u{1b}[2J\u{9b}b\nc\r"), "a\\u001b[2J\\u009bb\nc\\u000d");
        assert_eq!(escape_name("a\nb\tc\u{7f}"), "a\\u000ab\\u0009c\\u007f");
        assert_eq!(escape_text("größe \"x\""), "größe \"x\"");
    }
}
